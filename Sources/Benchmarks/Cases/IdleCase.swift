import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// What a connection costs while nothing happens on it, by number and by what happened before.
enum IdleCase {
  static let cases: [Case] =
    [1000, 5000, 10_000, 100_000].map { count in
      Case(
        name: "idle-\(count)", summary: "memory per idle connection, of %n", unit: .memory,
        parameters: Parameters(connections: count, loops: 1), number: count, body: body)
    } + [
      Case(
        name: "idle-after-stream", summary: "the same after each of %n streamed 256 KiB and fell silent", unit: .memory,
        parameters: Parameters(size: 262_144, connections: 2000, loops: 1), number: 2000, body: body)
    ]

  /// All the hooks a script may have per connection, and a handle that is kept.
  static let script = """
    local codec = require "moonpeer.codec"
    local messages = 0
    return {
      codec = codec.length_prefixed(),
      handshake = function() end,
      on_connect = function(_, conn) conn.state.since = 0 end,
      process_message = function() messages = messages + 1 end,
      on_disconnect = function() end,
      calls = { messages = function() collectgarbage() collectgarbage() return messages end },
    }
    """

  /// So many connections, or as many as there are descriptors for, in words on standard error.
  private static func fitting(_ wish: Int) -> Int {
    let spare = 400
    if Machine.hasDescriptors(wish + spare, for: "idle-\(wish) holds fewer connections") { return wish }
    return min(wish, Machine.raiseDescriptorLimit() - spare)
  }

  static func body(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let server = try await nodes.lua(script)
    let port = await server.node.address!.port!
    // The first connections pay for what all share.
    let warm = try DialerProcess(port: port, count: 100)
    defer { warm.end() }
    try await until("the first connections") { await server.node.counts.connected == 100 }
    _ = try await server.call("messages")
    let before = Machine.memory

    let count = fitting(parameters.connections / parameters.divisor)
    let streamed = parameters.size > 100_000 ? parameters.size : 0
    let dialer = try DialerProcess(port: port, count: count, before: 100, bytes: streamed)
    defer { dialer.end() }
    try await dialer.all { await server.node.counts.connected }
    let expected = Int64(count * (streamed / DialerProcess.frame))
    try await until("every message") { try await server.call("messages").first?.int == expected }
    let value = Double(Machine.memory - before) / Double(count)
    return Measurement(value: value, more: ["connections_held": Double(count)], number: count, checked: Int(expected))
  }
}
