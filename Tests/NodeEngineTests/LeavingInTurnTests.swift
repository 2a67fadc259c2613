import NodeCore
import Testing

@testable import NodeEngine

/// What code does that runs because a write has left, while others' writes are still on their way. More peers than an epoll loop
/// writes to at once, so that the first are told in the middle.
@Suite(.onEveryBackend) struct LeavingInTurnTests {
  private static let count = 40

  /// A node with so many peers, in the order of its connections.
  private func withPeers(
    _ change: (inout NodeConfiguration) -> Void = { _ in }, _ body: (TestNode<Recorder>, [RawSocket]) async throws -> Void
  ) async throws {
    try await withNode(Recorder(), change) { node in
      var peers: [RawSocket] = []
      for index in 0..<Self.count {
        peers.append(try RawSocket(to: await node.address))
        try await eventually("peer \(index) is there") { await node.connected == index + 1 }
      }
      try await body(node, peers)
      for peer in peers { peer.close() }
    }
  }

  private static func send(_ message: [UInt8], to connection: Connection) {
    message.withUnsafeBytes { _ = connection.send($0) }
  }

  @Test func `What is sent to others once a write has left arrives, behind what they get already`() async throws {
    try await withPeers { node, peers in
      let more = [UInt8](repeating: 7, count: 3000)
      await node.look { local in
        let all = local.connections
        for (index, one) in all.enumerated() { Self.send([UInt8](repeating: UInt8(index), count: 100), to: one) }
        _ = all[0].whenFlushed { _ in for one in all { Self.send(more, to: one) } }
      }
      for (index, peer) in peers.enumerated() {
        let expected = frame([UInt8](repeating: UInt8(index), count: 100)) + frame(more)
        let bytes = try await peer.receive(expected.count)
        #expect(bytes == expected, "peer \(index)")
      }
    }
  }

  @Test func `What was on its way to a connection that ends then goes to no other socket`() async throws {
    let listener = try RawListener()
    try await withPeers { node, _ in
      let sockets = LoopSockets()
      await node.look { local in
        let all = local.connections
        for one in all { Self.send([1, 2, 3], to: one) }
        _ = all[0].whenFlushed { _ in
          for one in all[1...] {
            one.abort(DisconnectReason(.local))
            sockets.open(to: listener.address)
          }
        }
      }
      try await eventually("the others are gone") { await node.connected == 1 }
      try await sockets.expectSilence(listener)
    }
  }

  @Test func `Nor does what code sends that runs when a long write has left`() async throws {
    let listener = try RawListener()
    try await withPeers({ ($0.outboundLowWater, $0.outboundHighWater) = (500, 1000) }) { node, _ in
      let sockets = LoopSockets()
      await node.look { local in
        let all = local.connections
        for one in all { Self.send([1, 2, 3], to: one) }
        _ = all[0].whenFlushed { _ in
          let long = all[Self.count - 2]
          Self.send([UInt8](repeating: 1, count: 6000), to: long)
          _ = long.whenFlushed { _ in
            // The second finds no room, so the first is handed on.
            for _ in 0..<2 { Self.send([UInt8](repeating: 9, count: 3000), to: all[1]) }
            all[1].abort(DisconnectReason(.local))
            sockets.open(to: listener.address)
          }
        }
      }
      try await eventually("it is gone") { await node.connected == Self.count - 1 }
      try await sockets.expectSilence(listener)
    }
  }
}

/// Sockets that are made on a loop: they get the numbers of those that it has just closed.
private final class LoopSockets: @unchecked Sendable {
  // Filled on the loop before the test looks.
  private var sockets: [RawSocket] = []

  func open(to address: PeerAddress) { if let socket = try? RawSocket(to: address) { sockets.append(socket) } }

  func expectSilence(_ listener: RawListener) async throws {
    #expect(!sockets.isEmpty)
    for _ in sockets {
      let other = try await listener.accept()
      #expect(other.poll() == .nothing)
    }
  }
}
