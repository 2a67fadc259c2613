import Glibc
import NodeCore
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct ListeningTests {
  @Test func `The bound address is reported, not the wish`() async throws {
    try await withNode(Quiet()) { node in
      #expect(await node.address.port != 0)
      #expect(await node.address.ip == .loopback)
    }
  }

  @Test func `A node that does not listen dials all the same`() async throws {
    try await withNode(Recorder()) { listener in
      try await withNode(Recorder(), { $0.listen = [] }) { dialler in
        #expect(await dialler.node.address == nil)
        try await dialler.dial(listener)
      }
    }
  }

  @Test func `It may listen at several addresses, and at one more later`() async throws {
    let wishes = ["127.0.0.1:0", "[::1]:0"].map { try! PeerAddress(parsing: $0) }
    try await withNode(Recorder(), { $0.listen = wishes }) { node in
      let later = try await node.node.listen(on: wishes[0])
      let all = await node.node.addresses
      #expect(all.count == 3 && all[2] == later)
      try await withNode(Recorder()) { dialler in
        for address in all { _ = try await dialler.node.connect(to: address) }
        try await eventually("all three are there") { await node.connected == 3 }
      }
    }
  }

  /// For ports that are let go of and asked for again: no other test, and nobody who dials, gets one of this address.
  private static let ownAddress = try! PeerAddress(parsing: "127.83.17.5:0")

  // A process that some other test starts has all descriptors for a moment, until it closes them: so long a listener that is
  // gone still answers in the kernel, and its port is taken.

  private func expectNobody(at address: PeerAddress) async throws {
    try await eventually("nobody answers at \(address)") {
      do { _ = try RawSocket(to: address) } catch is SocketFailure { return true }
      return false
    }
  }

  @Test func `Listening can be turned off and on again; what stands, stands`() async throws {
    try await withNode(Recorder(), { $0.listen = [Self.ownAddress] }) { listener in
      try await withNode(Recorder()) { dialler in
        let address = await listener.address
        try await dialler.dial(listener)
        // One that is still in the kernel's queue goes with the listener.
        try await eventually("it is accepted") { await listener.connected == 1 }
        await listener.node.stopListening()
        #expect(await listener.node.address == nil)
        try await expectNobody(at: address)
        #expect(await dialler.connected == 1)
        try await eventually("the port is free") {
          do throws(NodeError) { return try await listener.node.listen(on: address) == address } catch {
            guard error.code == .addressInUse else { throw error }
            return false
          }
        }
        #expect(await listener.address == address)
        try await withNode(Recorder()) { _ = try await $0.dial(listener) }
        #expect(await dialler.connected == 1)
      }
    }
  }

  @Test func `A reserved port is nobody else's, refuses who connects, and is bound again by the next listener`() async throws {
    let address = try await withNode(Quiet(), { $0.listen = [Self.ownAddress] }) { await $0.address }
    var port: ReservedPort?
    try await eventually("it is reserved") {
      port = ReservedPort(address)
      return port != nil
    }
    #expect(throws: SocketFailure.self) { try RawListener(on: address) }
    #expect(throws: SocketFailure.self) { try RawSocket(to: address) }
    try await withNode(Quiet(), { $0.listen = [address] }) { node in
      #expect(await node.address == address)
      _ = try RawSocket(to: address)
    }
    withExtendedLifetime(port) {}
  }

  @Test func `Over max_listeners it is refused, also where several are asked for at once`() async throws {
    try await withNode(Quiet(), { ($0.listen, $0.maxListeners) = ([], 2) }) { node in
      let wish = try PeerAddress(parsing: "127.0.0.1:0")
      let outcomes = await withTaskGroup(of: NodeError.Code?.self) { group in
        for _ in 0..<5 {
          group.addTask { await failure { () throws(NodeError) in _ = try await node.node.listen(on: wish) }?.code }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count { $0 == nil } == 2 && outcomes.count { $0 == .limit } == 3)
      await node.node.stopListening()
      _ = try await node.node.listen(on: wish)
    }
  }

  @Test func `A port in use is refused in words`() async throws {
    try await withNode(Quiet()) { node in
      let address = await node.address
      let second = try TestNode(Quiet()) { $0.listen = [address] }
      let error = await failure { () throws(NodeError) in try await second.node.start() }
      #expect(error?.code == .addressInUse)
      #expect(error?.message.contains("\(address)") == true)
      // It owns nothing and does not hang.
      await second.node.shutDown()
    }
  }

  @Test func `With reuse_port two live nodes share one`() async throws {
    try await withNode(Recorder(), { $0.reusePort = true }) { first in
      let address = await first.address
      try await withNode(Recorder(), { ($0.reusePort, $0.listen) = (true, [address]) }) { second in
        #expect(await second.address == address)
        let sockets = try (0..<16).map { _ in try RawSocket(to: address) }
        try await eventually("between them they accept all") { await first.connected + second.connected == sockets.count }
        sockets.forEach { $0.close() }
      }
    }
  }

  @Test(arguments: ["127.0.0.1:0", "[::1]:0", "localhost:0", "0.0.0.0:0", "[::]:0"])
  func `IPv4, IPv6, a name, wildcards`(wish: String) async throws {
    try await withNode(Echo(), { $0.listen = [try! PeerAddress(parsing: wish)] }) { node in
      let port = try #require(await node.address.port)
      let isSix = await node.address.ip?.isV4 == false
      let raw = try RawSocket(to: try PeerAddress(parsing: isSix ? "[::1]:\(port)" : "127.0.0.1:\(port)"))
      raw.send(frame([1, 2, 3]))
      #expect(try await raw.receive(7) == frame([1, 2, 3]))
    }
  }

  @Test func `A peer that came over IPv4 to an IPv6 wildcard is an IPv4 one`() async throws {
    try await withNode(Recorder(), { $0.listen = [try! PeerAddress(parsing: "[::]:0")] }) { node in
      let raw = try RawSocket(to: .ip(.loopback, port: await node.address.port!))
      try await eventually("it is there") { await node.connected == 1 }
      #expect(await node.node.connections()[0].address == (try raw.localAddress))
    }
  }

  @Test func `An address this machine does not have is refused`() async throws {
    let node = try TestNode(Quiet()) { $0.listen = [try! PeerAddress(parsing: "192.0.2.1:0")] }
    let error = await failure { () throws(NodeError) in try await node.node.start() }
    #expect(error?.code == .address)
    #expect(error?.message.contains("this machine has no such address; use one of its own") == true)
  }

  @Test func `A name without an address is refused as such, for listening and dialling`() async throws {
    let nowhere = try PeerAddress(parsing: "no-such-host.invalid:80")
    let node = try TestNode(Quiet()) { $0.listen = [nowhere] }
    #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .resolve)
    try await withNode(Quiet()) { node in
      let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: nowhere) }
      #expect(error?.code == .resolve)
      #expect(error?.message.contains("no-such-host.invalid") == true)
      #expect(await node.node.counts == (0, 0))
    }
  }
}
