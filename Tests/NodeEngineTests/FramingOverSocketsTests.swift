import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// The same cases over a connection, in both directions.
@Suite(.onEveryBackend) struct FramingOverSocketsTests {
  @Test(arguments: FramingCase.all)
  func `What a peer sends byte by byte, and all at once, arrives; what is sent is the same bytes`(one: FramingCase) async throws {
    let echo = Echo(one.framing)
    try await withNode(echo) { node in
      let raw = try RawSocket(to: await node.address)
      for byte in one.wire { try await raw.sendAll([byte]) }
      #expect(try await raw.receive(one.wire.count) == one.wire)
      #expect(echo.messages == one.messages)
      let many = (0..<50).flatMap { _ in one.wire }
      try await raw.sendAll(many)
      #expect(try await raw.receive(many.count) == many)
      #expect(echo.messages.count == 51 * one.messages.count)
      raw.close()
    }
  }

  @Test func `Raw bytes go through as they are`() async throws {
    try await withNode(Echo(.bytes)) { node in
      let raw = try RawSocket(to: await node.address)
      let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
      let sending = Task { try await raw.sendAll(bytes) }
      #expect(try await raw.receive(bytes.count) == bytes)
      try await sending.value
      raw.close()
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Messages as large as max, one after the other`() async throws {
    let logic = Recorder()
    try await withNode(Echo()) { server in
      try await withNode(logic) { node in
        let info = try await node.dial(server)
        let messages = (0..<6 as Range<UInt8>).map { [UInt8](repeating: $0, count: 1 << 20) }
        for message in messages { try await node.node.send(message, to: info.id) }
        try await eventually("all are back") {
          try #require(logic.reasons.isEmpty, "\(logic.reasons) after \(logic.messages.count)")
          return logic.messages.count == messages.count
        }
        #expect(logic.messages == messages)
      }
    }
  }

  @Test func `A line cannot contain its own end`() async throws {
    try await withNode(Recorder(.lines())) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let id = await node.node.connections()[0].id
      #expect(
        await failure { () throws(NodeError) in try await node.node.send(Array("a\nb".utf8), to: id) }?.message.contains(
          "delimiter") == true)
      try await node.node.send(Array("ab".utf8), to: id)
      #expect(try await raw.receive(3) == Array("ab\n".utf8))
      raw.close()
    }
  }

  /// Hooks that cut by themselves: tagged messages of one or two bytes.
  private final class Tagged: NodeHooks {
    let declared: HookSet = [.messages]
    let seen: Recorder
    init(_ seen: Recorder) { self.seen = seen }
    func start(_ node: LocalNode, completion: @escaping (Result<Void, NodeError>) -> Void) { completion(.success(())) }
    func handshake(_ connection: Connection, completion: @escaping (Result<Void, NodeError>) -> Void) {}
    func framing(for connection: Connection) throws(NodeError) -> Framing { Framing(.external) }
    func connected(_ connection: Connection) {}
    func drain(_ connection: Connection, keeping limit: Int) -> Int { 0 }
    func receive(_ connection: Connection) {
      let inbound = connection.inbound
      while let tag = inbound.bytes.first {
        guard tag == 1 || tag == 2 else { return connection.failDecoding("the tag \(tag) is unknown") }
        guard inbound.bytes.count > Int(tag) else { return inbound.expect(Int(tag) + 1) }
        seen.log.withLock { $0.append(.message(connection.id, Array(inbound.bytes[1...Int(tag)]))) }
        inbound.consume(Int(tag) + 1)
        inbound.countMessage(bytes: Int(tag))
      }
    }
    func disconnected(_ connection: Connection, reason: DisconnectReason, completion: @escaping () -> Void) {
      seen.log.withLock { $0.append(.disconnected(connection.id, reason.kind)) }
      completion()
    }
    func cancel(_ hook: HookName, _ connection: Connection?, because error: NodeError) {}
    func forgotten(_ connection: Connection) {}
    func shutDown(completion: @escaping () -> Void) { completion() }
    func stopped() {}
  }

  @Test func `Hooks may cut by themselves`() async throws {
    let seen = Recorder()
    let node = try Node(configuration: NodeConfiguration(), environment: Backend.current.environment()) { _ in Tagged(seen) }
    try await node.start()
    let raw = try RawSocket(to: await node.address!)
    let wire: [UInt8] = [1, 7, 2, 8, 9, 1, 5]
    for byte in wire { try await raw.sendAll([byte]) }
    try await raw.sendAll(wire)
    try await eventually("all are there") { seen.messages.count == 6 }
    #expect(seen.messages == [[7], [8, 9], [5], [7], [8, 9], [5]])
    #expect(await node.statistics().messagesReceived == 6)
    raw.send([3])
    try await seen.sawReason(.decode)
    await node.shutDown()
  }
}
