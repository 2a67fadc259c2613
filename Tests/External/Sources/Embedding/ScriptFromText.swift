import Logging
import LuaHost
import NodeEngine
import NodeScripting

private let counter = """
  local codec = require "moonpeer.codec"
  local log = require "moonpeer.log"

  return {
    codec = codec.lines(),
    args = { first = 0 },
    init = function(node, args) node.state.last = args.first end,
    process_message = function(node, conn, message)
      node.state.last = node.state.last + 1
      log.info("counted", { message = message })
      conn:send(("%d: %s"):format(node.state.last, message))
    end,
    calls = { last = function(node) return node.state.last end },
  }
  """

/// Runs the body with a node whose logic is the Lua text above.
func withCounter(_ logger: Logger, _ body: @Sendable (ScriptedNode) async throws -> Void) async throws {
  var options = ScriptOptions()
  options.name = "counter"
  options.arguments["first"] = 40
  let node = try await ScriptedNode.load(
    ScriptSource(name: "counter.lua", text: counter), options: options, environment: .sockets(logger: logger))
  try await node.start()
  try await body(node)
  await node.shutDown()
}
