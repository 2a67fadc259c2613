import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// A message that goes from node to node along a line.
enum ChainCase {
  static let cases = [
    Case(
      name: "chain-1000", summary: "one message through a line of 1,000 nodes", unit: .milliseconds,
      parameters: Parameters(nodes: 1000, loops: 1), body: body)
  ]

  private static let script = """
    local codec = require "moonpeer.codec"
    local heard = 0
    return {
      codec = codec.length_prefixed(),
      process_message = function(node, conn, message)
        heard = heard + 1
        node:broadcast(message, { except = conn })
      end,
      calls = {
        join = function(node, address) assert(node:connect(address)) end,
        say = function(node, text) return node:broadcast(text) end,
        heard = function() return heard end,
      },
    }
    """

  static func body(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let count = parameters.nodes / parameters.divisor
    var line: [ScriptedNode] = []
    for index in 0..<count {
      let node = try await nodes.lua(script)
      if index > 0 { _ = try await node.call("join", [LuaValue("\(await line[index - 1].node.address!)")]) }
      line.append(node)
    }
    let last = line[count - 1]
    // The first journey warms everything up.
    var elapsed = 0.0
    for journey in 1...5 {
      let start = Machine.seconds
      _ = try await line[0].call("say", ["hello"])
      while try await last.call("heard").first?.int != Int64(journey) {}
      elapsed = Machine.seconds - start
    }
    return Measurement(value: elapsed * 1e3, more: ["hops_per_s": Double(count - 1) / elapsed], checked: 5 * (count - 1))
  }
}
