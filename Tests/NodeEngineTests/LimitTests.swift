import NodeCore
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct LimitTests {
  /// How many of the sockets the node let in stay, once it has answered all of them.
  private func sockets(_ count: Int, to address: PeerAddress) throws -> [RawSocket] {
    try (0..<count).map { _ in try RawSocket(to: address) }
  }

  private func ended(_ sockets: [RawSocket]) -> Int { sockets.count { $0.poll(1) == .reset || $0.poll(1) == .end } }

  @Test func `max_connections rejects inbound ones and counts them`() async throws {
    try await withNode(Recorder(), { $0.maxConnections = 2 }) { node in
      let raws = try sockets(5, to: await node.address)
      try await eventually("three are rejected") { await node.node.heuristics().rejectedMaxConnections == 3 }
      try await eventually("they see it") { ended(raws) == 3 }
      #expect(await node.node.counts == (2, 0))
      raws.forEach { $0.close() }
      try await eventually("the places are free") { await node.connected == 0 }
      let again = try RawSocket(to: await node.address)
      try await eventually("there is room again") { await node.connected == 1 }
      again.close()
    }
  }

  @Test func `max_connections refuses a dial and counts it`() async throws {
    try await withNode(Recorder(), { $0.listen += $0.listen + $0.listen }) { other in
      try await withNode(Recorder(), { $0.maxConnections = 2 }) { node in
        let addresses = await other.node.addresses
        for address in addresses[..<2] { _ = try await node.node.connect(to: address) }
        let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: addresses[2]) }
        #expect(error?.code == .limit)
        #expect(error?.message.contains("max_connections (2)") == true)
        #expect(await node.node.heuristics().dialsRefused == 1)
        // An accept finds no room either: one limit for both directions.
        let raw = try RawSocket(to: await node.address)
        try await eventually("it is rejected") { await node.node.heuristics().rejectedMaxConnections == 1 }
        raw.close()
      }
    }
  }

  @Test func `A pending one counts`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door)), { $0.maxConnections = 1 }) { node in
      let first = try RawSocket(to: await node.address)
      try await eventually("it is pending") { await node.connecting == 1 }
      #expect(
        await failure { () throws(NodeError) in _ = try await node.node.connect(to: .ip(.loopback, port: 1)) }?.code == .limit)
      door.open()
      try await eventually("it is up") { await node.node.counts == (1, 0) }
      first.close()
    }
  }

  @Test func `An IP address has its limit, inbound`() async throws {
    try await withNode(Recorder(), { $0.maxConnectionsPerIP = 3 }) { node in
      let raws = try sockets(5, to: await node.address)
      try await eventually("two are rejected") { await node.node.heuristics().rejectedPerIP == 2 }
      #expect(await node.node.counts == (3, 0))
      let elsewhere = try RawSocket(to: await node.address, from: .ip(IPAddress("127.0.0.77")!, port: 0))
      try await eventually("another IP is let in") { await node.connected == 4 }
      raws.forEach { $0.close() }
      elsewhere.close()
    }
  }

  @Test func `An IP address has its limit, outbound, though it comes mapped into IPv6`() async throws {
    try await withNode(Recorder(), { $0.listen += $0.listen + $0.listen }) { other in
      try await withNode(Recorder(), { $0.maxConnectionsPerIP = 2 }) { node in
        let addresses = await other.node.addresses
        for address in addresses[..<2] { _ = try await node.node.connect(to: address) }
        let mapped = PeerAddress.ip(IPAddress("::ffff:127.0.0.1")!, port: addresses[2].port!)
        let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: mapped) }
        #expect(error?.code == .limit)
        #expect(error?.message.contains("max_connections_per_ip (2)") == true)
      }
    }
  }

  @Test func `A subnet has its limit`() async throws {
    try await withNode(Recorder(), { ($0.listen, $0.maxConnectionsPerSubnet) = ([try! PeerAddress(parsing: "0.0.0.0:0")], 2) }) {
      node in
      let address = PeerAddress.ip(.loopback, port: await node.address.port!)
      func raw(_ source: String) throws -> RawSocket { try RawSocket(to: address, from: .ip(IPAddress(source)!, port: 0)) }
      let raws = try ["127.0.5.1", "127.0.5.2", "127.0.5.3"].map(raw)
      try await eventually("one is rejected") { await node.node.heuristics().rejectedPerSubnet == 1 }
      let elsewhere = try raw("127.0.6.1")
      try await eventually("another subnet is let in") { await node.connected == 3 }
      (raws + [elsewhere]).forEach { $0.close() }
    }
  }

  @Test func `Racing dials do not overrun a limit`() async throws {
    try await withNode(Recorder(), { ($0.listen, $0.maxListeners) = (Array(repeating: $0.listen[0], count: 20), 20) }) { other in
      try await withNode(Recorder(), { $0.maxConnections = 5 }) { node in
        let addresses = await other.node.addresses
        let outcomes = await withTaskGroup(of: NodeError.Code?.self) { group in
          for address in addresses {
            group.addTask { await failure { () throws(NodeError) in _ = try await node.node.connect(to: address) }?.code }
          }
          return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == nil } == 5)
        #expect(outcomes.count { $0 == .limit } == 15)
        #expect(await node.node.counts == (5, 0))
        #expect(await node.node.heuristics().dialsRefused == 15)
        #expect(await node.inconsistency() == nil)
      }
    }
  }

  @Test func `Racing dials to one address make one connection`() async throws {
    try await withNode(Recorder()) { other in
      try await withNode(Recorder()) { node in
        let address = await other.address
        let codes = await withTaskGroup(of: NodeError.Code?.self) { group in
          for _ in 0..<20 {
            group.addTask { await failure { () throws(NodeError) in _ = try await node.node.connect(to: address) }?.code }
          }
          return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 1 && codes.count { $0 == .duplicate } == 19)
        #expect(await node.node.counts == (1, 0))
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Hundreds of connections at once`() async throws {
    try await withNode(Recorder(), { $0.maxConnections = 50 }) { node in
      let address = await node.address
      for round in 1...2 {
        let raws = try sockets(400, to: address)
        try await eventually("each is let in or rejected") {
          await (node.connected, node.node.heuristics().rejectedMaxConnections) == (50, UInt64(350 * round))
        }
        try await eventually("the rejected ones see it") { ended(raws) == 350 }
        #expect(await node.inconsistency() == nil)
        raws.forEach { round == 1 ? $0.close() : $0.reset() }
        try await eventually("all places are free again") { await node.node.counts == (0, 0) }
      }
      #expect(node.logic.connects.count == 100)
      try await eventually("each had its end") { node.logic.disconnects.count == 100 }
    }
  }
}
