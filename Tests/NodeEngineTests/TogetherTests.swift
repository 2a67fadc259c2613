import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// What comes from many peers in one tick: a loop may read it all before any of it is handled.
@Suite(.onEveryBackend) struct TogetherTests {
  /// A node with so many peers; what they send from within `body` is there before the loop looks.
  private func withPeers<Logic: Sendable>(
    _ count: Int, _ logic: Logic, _ body: (TestNode<Logic>, [RawSocket]) async throws -> Void
  ) async throws {
    try await withNode(logic) { node in
      var peers: [RawSocket] = []
      for index in 0..<count {
        peers.append(try RawSocket(to: await node.address))
        // One after the other, so that the node knows them in this order.
        try await eventually("peer \(index) is there") { await node.connected == index + 1 }
      }
      try await body(node, peers)
    }
  }

  private func sendAtOnce(_ node: TestNode<some Sendable>, _ peers: [RawSocket], _ message: @Sendable (Int) -> [UInt8]) async {
    await node.look { _ in
      for (index, peer) in peers.enumerated() { peer.send(frame(message(index))) }
    }
  }

  @Test func `Each of a hundred peers gets its own answers, in order`() async throws {
    try await withPeers(100, Echo()) { node, peers in
      for round in UInt8(0)..<5 {
        await sendAtOnce(node, peers) { [round, UInt8($0)] + [UInt8](repeating: round, count: $0 * 60) }
      }
      for (index, peer) in peers.enumerated() {
        for round in UInt8(0)..<5 {
          let expected = frame([round, UInt8(index)] + [UInt8](repeating: round, count: index * 60))
          let answer = try await peer.receive(expected.count)
          #expect(answer == expected)
        }
      }
      #expect(node.logic.messages.count == 500)
    }
  }

  /// Does something to another connection with the first message that comes.
  final class Meddler: Recorder, @unchecked Sendable {
    private let meddle: @Sendable (Connection) -> Void
    private let victim = Mutex<ConnectionID?>(nil)

    init(_ meddle: @escaping @Sendable (Connection) -> Void) {
      self.meddle = meddle
      super.init()
    }

    var meddledWith: ConnectionID? { victim.withLock { $0 } }

    override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
      try super.process(message, from: connection)
      guard meddledWith == nil, let other = connection.node.connections.first(where: { $0 !== connection }) else { return }
      victim.withLock { $0 = other.id }
      meddle(other)
    }

    func messages(of id: ConnectionID) -> Int {
      events.count { if case .message(id, _) = $0 { true } else { false } }
    }
  }

  @Test func `A connection that another one's hook ends gets no message more`() async throws {
    try await withPeers(4, Meddler { $0.abort(DisconnectReason(.local)) }) { node, peers in
      await sendAtOnce(node, peers) { [UInt8($0)] }
      try await eventually("the others' messages, and the end") {
        node.logic.messages.count == 3 && node.logic.disconnects.count == 1
      }
      let victim = try #require(node.logic.meddledWith)
      #expect(node.logic.messages(of: victim) == 0)
    }
  }

  @Test func `A connection that another one's hook pauses gets its message when it goes on`() async throws {
    try await withPeers(4, Meddler { $0.pauseReading() }) { node, peers in
      await sendAtOnce(node, peers) { [UInt8($0)] }
      try await eventually("the others' messages") { node.logic.messages.count == 3 }
      let victim = try #require(node.logic.meddledWith)
      #expect(node.logic.messages(of: victim) == 0)
      await node.look { $0.connection(id: victim)?.resumeReading() }
      try await eventually("its own") { node.logic.messages(of: victim) == 1 }
    }
  }

  @Test func `What several hooks send to one connection arrives whole`() async throws {
    /// Passes everything on to the connection that came first.
    final class Funnel: Recorder, @unchecked Sendable {
      override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
        try super.process(message, from: connection)
        _ = connection.node.connections[0].trySend(message)
      }
    }
    try await withPeers(40, Funnel()) { node, peers in
      await sendAtOnce(node, peers) { [UInt8($0), 1, 2, 3] }
      let bytes = try await peers[0].receive(40 * 8)
      let messages = stride(from: 0, to: bytes.count, by: 8).map { Array(bytes[$0..<($0 + 8)]) }
      #expect(messages.sorted { $0[4] < $1[4] } == (0..<40).map { frame([UInt8($0), 1, 2, 3]) })
    }
  }
}

/// What leaves for many peers in one tick: an epoll loop may hand it to the system all at once.
@Suite(.onEveryBackend) struct LeavingTogetherTests {
  /// A node with so many peers, who do not read.
  private func withPeers(
    _ count: Int, writeTimeout: Duration = .seconds(60),
    _ body: (TestNode<Recorder>, [RawSocket]) async throws -> Void
  ) async throws {
    try await withNode(Recorder(), { $0.writeTimeout = writeTimeout }) { node in
      let address = await node.address
      let peers = try (0..<count).map { _ in try RawSocket(to: address, receiveBuffer: 4096) }
      try await eventually("all are there") { await node.connected == count }
      await node.look { for one in $0.connections { try? one.stream.setOption("send_buffer", .integer(4096)) } }
      try await body(node, peers)
    }
  }

  private static let size = 2000

  /// Sends a numbered message to each, a tick each, until the kernel takes no more from any of them; how many there were.
  private func fill(_ node: TestNode<Recorder>) async throws -> Int {
    var number = 0
    try await eventually("the kernel has had enough") {
      // More than a tick or two may leave waiting.
      guard await node.look({ $0.connections.contains { $0.queued < 5 * Self.size } }) else { return true }
      let message = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Self.size)
      await node.look { for one in $0.connections { message.withUnsafeBytes { _ = one.trySend($0) } } }
      number += 1
      return false
    }
    return number
  }

  @Test func `What a kernel does not take leaves as there is room, whole and in order`() async throws {
    try await withPeers(20) { node, peers in
      let count = try await fill(node)
      let expected = (0..<count).flatMap { frame([UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: Self.size)) }
      for (index, peer) in peers.enumerated() {
        let bytes = try await peer.receive(expected.count)
        #expect(bytes == expected, "peer \(index)")
      }
      #expect(await node.node.heuristics().writeTimeouts == 0)
      for peer in peers { peer.close() }
    }
  }

  @Test func `A peer that takes nothing for write_timeout is disconnected, each of them`() async throws {
    try await withPeers(20, writeTimeout: .milliseconds(200)) { node, peers in
      _ = try await fill(node)
      try await eventually("all are gone") { await node.connected == 0 }
      #expect(node.logic.reasons == [DisconnectReason.Kind](repeating: .writeTimeout, count: 20))
      #expect(await node.node.heuristics().writeTimeouts == 20)
      for peer in peers { peer.close() }
    }
  }

  @Test func `Peers that are gone before their answers leave cost nobody else one`() async throws {
    /// Echoes; with the first message half of the peers go.
    final class Deserted: Recorder, @unchecked Sendable {
      private let leave = Mutex<(@Sendable () -> Void)?>(nil)
      func whenCalled(_ leave: @escaping @Sendable () -> Void) { self.leave.withLock { $0 = leave } }

      override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
        try super.process(message, from: connection)
        leave.withLock { leave in
          leave?()
          leave = nil
        }
        _ = connection.send(message)
      }
    }
    for isEarly in [true, false] {
      try await withNode(Deserted()) { node in
        let address = await node.address
        let peers = try (0..<40).map { _ in try RawSocket(to: address) }
        try await eventually("all are there") { await node.connected == peers.count }
        let leave = { @Sendable in for index in stride(from: 0, to: peers.count, by: 2) { peers[index].reset() } }
        if !isEarly { node.logic.whenCalled(leave) }
        await node.look { _ in
          for peer in peers { peer.send(frame([1, 2, 3])) }
          if isEarly { leave() }
        }
        for peer in stride(from: 1, to: peers.count, by: 2).map({ peers[$0] }) {
          let answer = try await peer.receive(7)
          #expect(answer == frame([1, 2, 3]))
        }
        try await eventually("the others are gone") { await node.connected == peers.count / 2 }
        #expect(Set(node.logic.reasons) == [.reset])
      }
    }
  }
}

/// What a stream is told to have fetched.
@Suite struct FootprintTests {
  private final class Thing { var a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9 }

  private func lines(_ place: UInt64) -> (start: UInt64, count: UInt64) { (place & 0xFFFF_FFFF_FFFF, place >> 48) }

  @Test func `Places are whole cache lines that cover what was added`() throws {
    withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 64) { memory in
      let base = UInt64(UInt(bitPattern: memory.baseAddress))
      for (offset, count, expected) in [(0, 1, 1), (0, 64, 1), (0, 65, 2), (63, 1, 1), (63, 2, 2), (130, 600, 10)] {
        var footprint = Footprint()
        footprint.add(memory.baseAddress! + offset, count)
        let place = lines(footprint.places[0])
        #expect(place.start == (base + UInt64(offset)) & ~63 && place.count == UInt64(expected), "\(count) at \(offset)")
      }
    }
  }

  @Test func `An object is covered to its end, or as far as it was asked for; nothing adds nothing`() {
    let thing = Thing()
    var footprint = Footprint()
    footprint.add(nil, 5)
    footprint.add(thing)
    footprint.add(thing, lines: 1)
    #expect(footprint.places.count == 2)
    let address = UInt64(UInt(bitPattern: Unmanaged.passUnretained(thing).toOpaque()))
    let (whole, first) = (lines(footprint.places[0]), lines(footprint.places[1]))
    #expect(whole.start <= address && whole.start + whole.count * 64 >= address + 16 + 9 * 8)
    #expect(first.start == whole.start && first.count <= 2)
    withExtendedLifetime(thing) {}
  }
}
