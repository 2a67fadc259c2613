import NodeCore
import Testing

@testable import NodeEngine

/// `max_connecting`: one budget for both directions. Handshakes have an hour, so that none makes way for those that wait.
@Suite(.onEveryBackend) struct SetUpBudgetTests {
  private func rejected<L>(_ node: TestNode<L>) async -> UInt64 {
    let heuristics = await node.node.heuristics()
    return heuristics.rejectedMaxConnections + heuristics.rejectedPerIP + heuristics.rejectedDuplicate
  }

  @Test func `Inbound surplus waits in the kernel's queue; a dial fails at once`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door)), { ($0.maxConnecting, $0.handshakeTimeout) = (2, .seconds(3600)) }) { node in
      let raws = try (0..<6).map { _ in try RawSocket(to: RawAddress.of(node)) }
      try await eventually("the budget is used up") { await node.connecting == 2 }
      let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: .ip(.loopback, port: 1)) }
      #expect(error?.code == .limit)
      #expect(error?.message.contains("max_connecting (2)") == true)
      #expect(await node.node.heuristics().dialsRefused == 1)
      #expect(await node.node.counts == (0, 2))
      door.open()
      try await eventually("one after the other is let in") { await node.connected == 6 }
      #expect(await rejected(node) == 0)
      raws.forEach { $0.close() }
    }
  }

  @Test func `What was sent meanwhile is not lost`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door)), { ($0.maxConnecting, $0.handshakeTimeout) = (1, .seconds(3600)) }) { node in
      let raws = try (0..<4 as Range<UInt8>).map { index in
        let raw = try RawSocket(to: RawAddress.of(node))
        raw.send(frame([index]))
        raw.endWriting()
        return raw
      }
      try await eventually("the budget is used up") { await node.connecting == 1 }
      #expect(node.logic.messages.isEmpty)
      door.open()
      try await eventually("every message has come, and every end") {
        Set(node.logic.messages) == Set((0..<4 as Range<UInt8>).map { [$0] }) && node.logic.reasons.count == 4
      }
      #expect(Set(node.logic.reasons) == [.eof])
      raws.forEach { $0.close() }
    }
  }

  @Test func `A dial that takes the last place does not cost a peer its connection`() async throws {
    let door = Door()
    try await withNode(Quiet()) { other in
      try await withNode(Shaker(.wait(door)), { ($0.maxConnecting, $0.handshakeTimeout) = (1, .seconds(3600)) }) { node in
        // The listener waits for somebody already; now the place goes.
        async let info = node.node.connect(to: await other.address)
        try await eventually("the place is taken") { await node.connecting == 1 }
        let raws = try (0..<3).map { _ in try RawSocket(to: RawAddress.of(node)) }
        door.open()
        _ = try await info
        try await eventually("they are all let in") { await node.connected == 4 }
        #expect(await rejected(node) == 0)
        raws.forEach { $0.close() }
      }
    }
  }

  @Test func `Two listeners share the budget`() async throws {
    let door = Door()
    try await withNode(
      Shaker(.wait(door)), { ($0.maxConnecting, $0.handshakeTimeout, $0.listen) = (2, .seconds(3600), $0.listen + $0.listen) }
    ) { node in
      let addresses = await node.node.addresses
      let raws = try (0..<4).flatMap { _ in try addresses.map { try RawSocket(to: $0) } }
      try await eventually("the budget is used up") { await node.connecting == 2 }
      door.open()
      try await eventually("all are let in") { await node.connected == 8 }
      #expect(await rejected(node) == 0)
      raws.forEach { $0.close() }
    }
  }

  @Test func `A peer that is gone before it is let in is nobody`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door)), { ($0.maxConnecting, $0.handshakeTimeout) = (1, .seconds(3600)) }) { node in
      let first = try RawSocket(to: RawAddress.of(node))
      try await eventually("the budget is used up") { await node.connecting == 1 }
      for _ in 0..<4 { try RawSocket(to: RawAddress.of(node)).reset() }
      let last = try RawSocket(to: RawAddress.of(node))
      last.send(frame([7]))
      door.open()
      // This handshake needs no peer, so it may be over before the reset is read: then a peer was there for a moment.
      try await eventually("who stayed is let in, and nobody else stays") {
        let connected = await node.connected
        return connected == 2 && node.logic.messages == [[7]] && node.logic.connects.count == node.logic.reasons.count + 2
      }
      #expect(await rejected(node) == 0)
      [first, last].forEach { $0.close() }
    }
  }

  @Test func `A shutdown ends those that wait`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door)), { ($0.maxConnecting, $0.handshakeTimeout) = (1, .seconds(3600)) }) { node in
      let raws = try (0..<3).map { _ in try RawSocket(to: RawAddress.of(node)) }
      try await eventually("the budget is used up") { await node.connecting == 1 }
      await node.node.shutDown()
      for raw in raws { #expect(try await raw.receiveRest().bytes.isEmpty) }
      #expect(node.logic.events.isEmpty)
      door.open()
    }
  }
}

enum RawAddress {
  /// For closures that are not `async`: the node has been started.
  static func of<L>(_ node: TestNode<L>) -> PeerAddress { node.local.value.address! }
}
