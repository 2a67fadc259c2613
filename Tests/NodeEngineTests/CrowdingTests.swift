import NodeCore
import Testing

@testable import NodeEngine

/// Peers that use up `max_connecting` and say nothing.
@Suite(.onEveryBackend) struct CrowdingTests {
  @Test func `A slow handshake makes way for those that wait, long before its time is over`() async throws {
    let start = ContinuousClock.now
    try await withNode(Shaker(.exchange(1)), { ($0.maxConnecting, $0.handshakeTimeout) = (2, .seconds(20)) }) { node in
      let slow = try (0..<2).map { _ in try RawSocket(to: RawAddress.of(node)) }
      try await eventually("the budget is used up") { await node.connecting == 2 }
      let waiting = try RawSocket(to: await node.address)
      waiting.send([2])
      #expect(try await waiting.receive(1) == [1])
      try await eventually("who waited is let in") { await node.connected == 1 }
      // The oldest, and no more than half of the budget.
      #expect(try await slow[0].receiveRest().bytes == [1])
      #expect(await node.connecting == 1)
      #expect(await node.node.heuristics().handshakeTimeouts == 1)
      #expect(ContinuousClock.now - start < .seconds(20))
      (slow + [waiting]).forEach { $0.close() }
    }
  }

  @Test func `Where nobody waits it has all its time`() async throws {
    try await withNode(Shaker(.exchange(1)), { ($0.maxConnecting, $0.handshakeTimeout) = (1, .milliseconds(400)) }) { node in
      let start = ContinuousClock.now
      let slow = try RawSocket(to: await node.address)
      _ = try await slow.receiveRest()
      #expect(ContinuousClock.now - start >= .milliseconds(400))
      try await eventually("its place is free") { await node.connecting == 0 }
      #expect(await node.node.heuristics().handshakeTimeouts == 1)
    }
  }
}
