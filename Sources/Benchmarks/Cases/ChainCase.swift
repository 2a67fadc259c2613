import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// A message that goes from node to node along a line.
enum ChainCase {
  static let cases = [
    Case(
      name: "chain-1000", summary: "one message through a line of %n nodes", unit: .milliseconds,
      parameters: Parameters(nodes: 1000, loops: 1), number: 1000, body: body)
  ]

  private static let script = """
    local codec = require "moonpeer.codec"
    local arrived
    return {
      codec = codec.length_prefixed(),
      process_message = function(node, conn, message)
        node:broadcast(message, { except = conn })
        if arrived then arrived:put(message) end
      end,
      calls = {
        join = function(node, address) assert(node:connect(address)) end,
        say = function(node, text) return node:broadcast(text) end,
        expect = function(node) arrived = node:queue() end,
        heard = function() return arrived:get() end,
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
    _ = try await last.call("expect")
    // The first journeys warm everything up.
    var times: [Double] = []
    for journey in 1...13 {
      let start = Machine.seconds
      _ = try await line[0].call("say", [LuaValue("\(journey)")])
      // Waits: asking again and again would keep the loop busier than the journey does.
      let heard = try await last.call("heard").first?.text
      guard heard == "\(journey)" else { throw BenchError("journey \(journey) arrived as \(heard ?? "nothing")") }
      if journey > 2 { times.append(Machine.seconds - start) }
    }
    let elapsed = times.median
    return Measurement(
      value: elapsed * 1e3, more: ["hops_per_s": Double(count - 1) / elapsed], number: count, checked: 13 * (count - 1))
  }
}
