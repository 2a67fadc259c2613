import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// `on_disconnect`: on both sides, once, with the right reason, and timed.
@Suite(.onEveryBackend) struct DisconnectTests {
  private final class Slow: Recorder, @unchecked Sendable {
    let door = Door()
    override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
      await super.onDisconnect(connection, reason)
      await door.pass()
    }
  }

  private final class Strict: Recorder, @unchecked Sendable {
    override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
      try super.process(message, from: connection)
      throw Shaker.Refusal()
    }
  }

  private func over<L: Recorder>(_ node: TestNode<L>, _ kind: DisconnectReason.Kind, _ end: (RawSocket) async throws -> Void)
    async throws
  {
    let raw = try RawSocket(to: await node.address)
    try await eventually("it is there") { await node.connected == 1 }
    try await end(raw)
    try await node.logic.sawReason(kind)
    try await eventually("it is gone") { await node.connected == 0 }
    #expect(node.logic.reasons == [kind])
    raw.close()
  }

  @Test func `One's own wish is local; the other side sees the end`() async throws {
    let a = Recorder()
    let b = Recorder()
    try await withNode(a) { one in
      try await withNode(b) { two in
        let info = try await one.dial(two)
        try await eventually("it is there") { await two.connected == 1 }
        #expect(await one.node.disconnect(info.id))
        #expect(a.reasons == [.local], "disconnect waits for the hook")
        #expect(await one.connected == 0)
        try await b.sawReason(.eof)
        #expect(await one.node.disconnect(info.id) == false)
        #expect(await one.node.disconnect(info.address) == false)
      }
    }
  }

  @Test func `A peer that closes: eof`() async throws {
    try await withNode(Recorder()) { try await over($0, .eof) { $0.close() } }
  }

  @Test func `A peer that only ends its writing: its messages are answered, then eof`() async throws {
    try await withNode(Echo()) { node in
      try await over(node, .eof) { raw in
        raw.send(frame([1]) + frame([2]))
        raw.endWriting()
        let (bytes, ending) = try await raw.receiveRest()
        #expect(bytes == frame([1]) + frame([2]) && ending == .end)
      }
    }
  }

  @Test func `A peer that resets: reset`() async throws {
    try await withNode(Recorder()) { node in
      try await over(node, .reset) { $0.reset() }
    }
  }

  @Test func `Bytes that are no message: decode, and it is counted`() async throws {
    try await withNode(Recorder(.lengthPrefixed(max: 100))) { node in
      try await over(node, .decode) { $0.send(frame([1]) + [0, 0, 0, 101]) }
      #expect(node.logic.messages == [[1]])
      #expect(await node.node.heuristics().decodeErrors == 1)
    }
  }

  @Test func `An error in the message hook: script`() async throws {
    try await withNode(Strict()) { node in
      try await over(node, .script) { $0.send(frame([1]) + frame([2])) }
      #expect(node.logic.messages == [[1]], "nothing is handed out after the error")
    }
  }

  @Test func `A session that returns: session_ended; that raises: script`() async throws {
    try await withNode(Talker()) { node in
      try await over(node, .sessionEnded) { raw in
        raw.send(frame([5]) + frame([0]) + frame([6]))
        let (bytes, ending) = try await raw.receiveRest()
        #expect(bytes == frame([5]) && ending == .end)
      }
    }
    try await withNode(Talker()) { node in
      try await over(node, .script) { $0.send(frame([255])) }
    }
    try await withNode(Talker()) { node in
      try await over(node, .eof) { raw in
        raw.send(frame([7]))
        let answer = try await raw.receive(5)
        #expect(answer == frame([7]))
        raw.close()
      }
    }
  }

  @Test func `A node that shuts down: shutdown; the other side sees the end`() async throws {
    let a = Recorder()
    let b = Recorder()
    try await withNode(a) { one in
      try await withNode(b) { two in
        try await one.dial(two)
        try await eventually("it is there") { await two.connected == 1 }
        await one.node.shutDown()
        #expect(a.reasons == [.shutdown])
        try await b.sawReason(.eof)
      }
    }
  }

  @Test(arguments: DisconnectReason.Kind.allCases)
  func `The first reason is the one`(kind: DisconnectReason.Kind) async throws {
    try await withNode(Recorder()) { node in
      try await over(node, kind) { _ in
        await node.look { local in
          let connection = local.connections[0]
          connection.disconnect(DisconnectReason(kind))
          connection.disconnect(DisconnectReason(.local))
          connection.abort(DisconnectReason(.eof))
        }
      }
    }
  }

  @Test func `An abort is a reset for the peer`() async throws {
    try await withNode(Recorder()) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { $0.connections[0].abort(DisconnectReason(.local)) }
      #expect(try await raw.receiveRest().ending == .reset)
    }
  }

  @Test func `What was queued leaves before the end, and the hook may add to it`() async throws {
    final class Farewell: Recorder, @unchecked Sendable {
      override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
        await super.onDisconnect(connection, reason)
        try? await connection.send(Array("bye".utf8))
      }
    }
    try await withNode(Farewell(.bytes)) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { local in
        let big = [UInt8](repeating: 1, count: 200_000)
        _ = big.withUnsafeBytes { local.connections[0].trySend($0) }
        local.connections[0].disconnect(DisconnectReason(.local))
      }
      let (bytes, ending) = try await raw.receiveRest()
      #expect(bytes.count == 200_003 && bytes.suffix(3) == Array("bye".utf8) && ending == .end)
    }
  }

  @Test func `The hook is timed; until then the address is taken`() async throws {
    let slow = Slow()
    try await withNode(Recorder()) { server in
      try await withNode(slow, { $0.onDisconnectTimeout = .seconds(60) }) { node in
        let info = try await node.dial(server)
        let ending = Task { await node.node.disconnect(info.id) }
        try await eventually("the hook runs") { slow.reasons.count == 1 }
        #expect(await failure { () throws(NodeError) in try await node.dial(server) }?.code == .duplicate)
        #expect(await node.node.counts == (1, 0))
        #expect(await node.node.connections().isEmpty, "it is no live one")
        slow.door.open()
        #expect(await ending.value)
        try await node.dial(server)
      }
    }
  }

  @Test func `A hook that takes too long is given up, and counted`() async throws {
    let slow = Slow()
    try await withNode(slow, { $0.onDisconnectTimeout = .milliseconds(50) }) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      raw.close()
      try await eventually("it is gone") { await node.connected == 0 }
      #expect(await node.node.heuristics().hookTimeouts == 1)
      #expect(slow.reasons == [.eof])
      slow.door.open()
    }
  }

  @Test func `A cancelled disconnect tears down all the same`() async throws {
    let slow = Slow()
    try await withNode(Recorder()) { server in
      try await withNode(slow, { $0.onDisconnectTimeout = .seconds(60) }) { node in
        let info = try await node.dial(server)
        let ending = Task { await node.node.disconnect(info.id) }
        try await eventually("the hook runs") { slow.reasons.count == 1 }
        ending.cancel()
        slow.door.open()
        _ = await ending.value
        #expect(await node.node.counts == (0, 0))
        try await eventually("the other side sees it") { await server.connected == 0 }
      }
    }
  }

  @Test func `Many callers, one disconnect`() async throws {
    let logic = Recorder()
    try await withNode(Recorder()) { server in
      try await withNode(logic) { node in
        let info = try await node.dial(server)
        let firsts = await withTaskGroup(of: Bool.self) { group in
          for _ in 0..<20 { group.addTask { await node.node.disconnect(info.id) } }
          return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(firsts == 1)
        #expect(logic.disconnects == [info.id])
      }
    }
  }

  @Test func `A stale guard never touches the newer connection on its address`() async throws {
    let logic = Recorder()
    try await withNode(Echo()) { server in
      try await withNode(logic) { node in
        let info = try await node.dial(server)
        let stale = await node.look { LoopBound($0.connections[0]) }
        await node.node.disconnect(info.id)
        let newer = try await node.dial(server)
        #expect(newer.address == info.address && newer.id != info.id)
        await node.look { local in
          stale.value.disconnect(DisconnectReason(.script))
          stale.value.abort(DisconnectReason(.script))
          local.disconnect(stale.value, reason: DisconnectReason(.script)) { #expect(!$0) }
          #expect([1].withUnsafeBytes { stale.value.send($0) } == .closed)
          #expect(local.connection(at: newer.address)?.id == newer.id)
        }
        #expect(await node.node.disconnect(info.id) == false)
        try await node.node.send([3], to: newer.id)
        try await eventually("the newer one is alive") { logic.messages == [[3]] }
        #expect(logic.disconnects == [info.id])
      }
    }
  }

  @Test func `A hook may end the connection and still look at its message`() async throws {
    final class Ender: Recorder, @unchecked Sendable {
      override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
        connection.abort(DisconnectReason(.local))
        try super.process(message, from: connection)
      }
    }
    struct Bare: Framed, MessageProcessing {
      let seen: Ender
      func framing(for connection: Connection) throws -> Framing { seen.framing }
      func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
        try seen.process(message, from: connection)
      }
    }
    let seen = Ender()
    try await withNode(Bare(seen: seen)) { node in
      let raw = try RawSocket(to: await node.address)
      let message = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
      let wire = frame(message)
      // In two reads, so that the message lies in the connection's own buffer.
      try await raw.sendAll(Array(wire[..<30_000]))
      try await eventually("the first part is there") { await node.look { ($0.connections.first?.inbound.count ?? 0) >= 30_000 } }
      try await raw.sendAll(Array(wire[30_000...]) + frame([9]))
      try await eventually("it was seen") { !seen.messages.isEmpty }
      #expect(seen.messages == [message])
    }
  }
}
