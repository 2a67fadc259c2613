import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// What a node costs: to start, and to have.
enum NodeCase {
  static let cases: [Case] = [
    Case(
      name: "node-memory", summary: "memory per listening node with all hooks, of %n", unit: .memory,
      parameters: Parameters(nodes: 1000, loops: 1), number: 1000, body: memory),
    Case(
      name: "node-start", summary: "starting a node with all hooks, one of %n, from a task on its loop", unit: .microseconds,
      parameters: Parameters(nodes: 1000, loops: 1), number: 1000, body: start),
    Case(
      name: "node-start-from-afar", summary: "the same from another thread", unit: .microseconds,
      parameters: Parameters(nodes: 1000, loops: 1), number: 1000, body: startFromAfar),
  ]

  static let script = """
    local codec = require "moonpeer.codec"
    return {
      codec = codec.length_prefixed(),
      init = function(node) node.state.count = 0 end,
      handshake = function() end,
      on_connect = function() end,
      process_message = function(node) node.state.count = node.state.count + 1 end,
      on_disconnect = function() end,
      on_shutdown = function() end,
      calls = { count = function(node) return node.state.count end },
    }
    """

  private static func many(_ parameters: Parameters, _ nodes: Nodes) async throws -> (
    seconds: Double, memory: Int, count: Int, kept: [ScriptedNode]
  ) {
    var kept: [ScriptedNode] = []
    for _ in 0..<20 { kept.append(try await nodes.lua(script)) }
    let before = Machine.memory
    let count = parameters.nodes / parameters.divisor
    let start = Machine.seconds
    for _ in 0..<count { kept.append(try await nodes.lua(script)) }
    let elapsed = Machine.seconds - start
    return (elapsed, Machine.memory - before, count, kept)
  }

  static func memory(_ parameters: Parameters) async throws -> Measurement {
    let made = try await many(parameters, Nodes(parameters))
    var lua = 0
    for node in made.kept { lua += await node.snapshot().luaMemory }
    return Measurement(
      value: Double(made.memory) / Double(made.count), more: ["lua_bytes_each": Double(lua) / Double(made.kept.count)],
      number: made.count, checked: made.kept.count)
  }

  static func start(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    return try await withTaskExecutorPreference(nodes.executor) { try await start(parameters, nodes) }
  }

  static func startFromAfar(_ parameters: Parameters) async throws -> Measurement {
    try await start(parameters, Nodes(parameters))
  }

  private static func start(_ parameters: Parameters, _ nodes: Nodes) async throws -> Measurement {
    let made = try await many(parameters, nodes)
    return Measurement(value: made.seconds / Double(made.count) * 1e6, number: made.count, checked: made.kept.count)
  }
}
