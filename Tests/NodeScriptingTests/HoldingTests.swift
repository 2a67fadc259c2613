import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// While the message hook waits: the next message waits too, TCP pushes back, or, if so configured, messages are dropped.
@Suite(.onEveryBackend, .serialized, .timeLimit(.minutes(5))) struct HoldingTests {
  /// Handles "hold" by waiting for `open`; notes every message's number.
  private static func server(_ codec: String, _ more: String = "") -> String {
    script(
      """
      codec = \(codec),
      init = function(node) node.state.gate, node.state.seen, node.state.inside = node:queue(), {}, 0 end,
      process_message = function(node, conn, m)
        node.state.inside = node.state.inside + 1
        assert(node.state.inside == 1, "two messages at once")
        if not node.state.opened then node.state.gate:get() end
        table.insert(node.state.seen, (m:match "%d+"))
        node.state.inside = node.state.inside - 1
      end,
      calls = {
        open = function(node) node.state.opened = true node.state.gate:close() end,
        holds = function(node) return node.state.inside == 1 end,
        seen = function(node) return table.concat(node.state.seen, " ") end,
        count = function(node) return #node.state.seen end,
        stats = function(node) return node:stats().messages_received, node:heuristics().dropped_messages end,
      },
      \(more)
      """)
  }

  private static let prefixed = #"codec.length_prefixed()"#
  private static let framed =
    #"codec.framed { header = 4, size = function(h) return 4 + string.unpack(">I4", h) end, decode = function(f) return f:sub(5) end }"#
  private static let custom = #"""
    codec.custom { decode = function(b)
      local n = b:u32(1)
      if not n then return nil, 4 end
      if #b < 4 + n then return nil, 4 + n end
      return b:bytes(5, n), 4 + n
    end }
    """#

  private func frame(_ body: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) } + body
  }

  @Test(arguments: [HoldingTests.prefixed, HoldingTests.framed, HoldingTests.custom])
  func `A waiting hook stops the peer, and afterwards everything comes in order`(codec: String) async throws {
    try await withNode(Self.server(codec), logger: .quiet) { node in
      let client = try RawClient(await node.node.address!)
      let count = 3000
      let stream = (1...count).flatMap { frame(Array("\($0) ".utf8) + [UInt8](repeating: 120, count: 20_000)) }
      let taken = try await client.writeWhileTaken(stream)
      #expect(taken < stream.count, "60 MB were taken from the peer while the hook waited")
      try await eventually("the hook waits") { try await node.call("holds").first == true }
      #expect(try await node.call("count").first == 0)
      _ = try await node.call("open")
      try await client.write(stream[taken...])
      try await eventually("all are handled") { try await node.call("count").first?.int == Int64(count) }
      #expect(try await node.call("seen").first?.text == (1...count).map(String.init).joined(separator: " "))
    }
  }

  @Test(arguments: [HoldingTests.prefixed, HoldingTests.framed, HoldingTests.custom])
  func `With inbound_policy drop, a waiting hook does not stop the peer; what is over the queue is dropped and counted`(
    codec: String
  ) async throws {
    let config = "config = { inbound_policy = 'drop', inbound_queue = 5 },"
    try await withNode(Self.server(codec, config), logger: .quiet) { node in
      let client = try RawClient(await node.node.address!)
      try await client.write(frame(Array("1".utf8)))
      try await eventually("the hook waits") { try await node.call("holds").first == true }
      let more = (2...2000).flatMap { frame(Array("\($0) ".utf8) + [UInt8](repeating: 120, count: 5_000)) }
      let taken = try await client.writeWhileTaken(more, patience: .seconds(60))
      #expect(taken == more.count)
      try await eventually("the rest is dropped") { try await node.call("stats").last == 1994 }
      _ = try await node.call("open")
      try await eventually("the kept ones are handled") { try await node.call("count").first == 6 }
      #expect(try await node.call("seen").first?.text == "1 2 3 4 5 6")
      try await client.write(frame(Array("2001".utf8)))
      try await eventually("and new ones") { try await node.call("seen").first?.text == "1 2 3 4 5 6 2001" }
    }
  }

  @Test func `Under drop, a lie on the wire ends the connection though the hook waits`() async throws {
    let config =
      "config = { inbound_policy = 'drop' }, on_disconnect = function(n, c, r) n.state.inside = 0 n.state.seen = { r.kind } end,"
    let codec = #"codec.framed { header = 1, size = function(h) return h:byte() end, max = 9 }"#
    try await withNode(Self.server(codec, config), logger: .quiet) { node in
      let client = try RawClient(await node.node.address!)
      try await client.write([2, 49])
      try await eventually("the hook waits") { try await node.call("holds").first == true }
      try await client.write([200])
      #expect(try await client.readToEnd().isEmpty)
      try await eventually("the reason") { try await node.call("seen").first == "decode" }
    }
  }
}
