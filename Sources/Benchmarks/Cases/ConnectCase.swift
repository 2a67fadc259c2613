import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Dials and disconnects, one after the other.
enum ConnectCase {
  static let cases = [
    Case(
      name: "connect", summary: "connect and disconnect, one after the other", unit: .microseconds,
      parameters: Parameters(loops: 1), body: body, rawloop: ["connect", "10000"])
  ]

  static let script = """
    return {
      on_connect = function() end,
      on_disconnect = function() end,
      process_message = function() end,
      calls = { cycle = function(node, address, count)
        for _ = 1, count do node:disconnect(assert(node:connect(address))) end
      end },
    }
    """

  static func body(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let server = try await nodes.lua(script)
    let client = try await nodes.lua(script, listens: false)
    let address = LuaValue("\(await server.node.address!)")
    _ = try await client.call("cycle", [address, 100])
    let count = 5000 / parameters.divisor
    let start = Machine.seconds
    _ = try await client.call("cycle", [address, .integer(Int64(count))])
    let elapsed = Machine.seconds - start
    try await until("every connection is over on both sides") {
      let (a, b) = (await server.node.counts, await client.node.counts)
      return a.connected + a.connecting + b.connected + b.connecting == 0
    }
    return Measurement(value: elapsed / Double(count) * 1e6, checked: count)
  }
}
