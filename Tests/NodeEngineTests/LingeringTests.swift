import Logging
import NIOPosix
import Testing

@testable import NodeEngine

/// Closed streams whose peers stay: how many of them wait, and that the rest does not.
@Suite(.onEveryBackend) struct LingeringTests {
  @Test func `Room is given up to the limit, and again when it is given back`() {
    let lingering = Lingering(limit: 2, time: .seconds(1))
    #expect(lingering.begin() && lingering.begin() && !lingering.begin())
    #expect(lingering.count == 2)
    lingering.end()
    #expect(lingering.begin() && !lingering.begin())
    #expect(lingering.count == 2)
  }

  @Test func `Refused peers that stay: beyond the bound their streams close at once`() async throws {
    try await withLingering(Lingering(limit: 2, time: .seconds(600))) { lingering, environment in
      try await withNode(Shaker(.refuse), in: environment) { node in
        try await expectBound(2, lingering, try await crowd(of: 5, at: node))
      }
    }
  }

  @Test func `Disconnected peers that stay: beyond the bound their streams close at once`() async throws {
    try await withLingering(Lingering(limit: 2, time: .seconds(600))) { lingering, environment in
      try await withNode(Recorder(), in: environment) { node in
        let peers = try await crowd(of: 5, at: node)
        try await eventually("all are there") { await node.connected == 5 }
        for connection in await node.node.connections() { await node.node.disconnect(connection.id) }
        try await expectBound(2, lingering, peers)
      }
    }
  }

  @Test func `A peer that never ends is left when the time is over`() async throws {
    try await withLingering(Lingering(limit: 2, time: .milliseconds(10))) { lingering, environment in
      try await withNode(Shaker(.refuse), in: environment) { node in
        let peers = try await crowd(of: 2, at: node)
        try await expectClosed(2, of: peers)
        try await eventually("nothing waits any more") { lingering.count == 0 }
      }
    }
  }

  private func crowd(of count: Int, at node: TestNode<some Sendable>) async throws -> [RawSocket] {
    let address = await node.address
    return try (0..<count).map { _ in try RawSocket(to: address) }
  }

  private func expectBound(_ limit: Int, _ lingering: Lingering, _ peers: [RawSocket]) async throws {
    for peer in peers { #expect(try await peer.receiveRest().ending == .end) }
    try await expectClosed(peers.count - limit, of: peers)
    #expect(lingering.count == limit)
    for peer in peers { peer.close() }
    try await eventually("nothing waits any more") { lingering.count == 0 }
  }

  /// What a peer sends to a closed stream is answered with a reset, after which it can send no more.
  private func expectClosed(_ count: Int, of peers: [RawSocket]) async throws {
    var open = peers
    try await eventually("\(count) of the streams are closed") {
      open.removeAll { $0.send([1]) == 0 }
      return open.count <= peers.count - count
    }
    #expect(open.count == peers.count - count)
  }

  /// Sockets with a bound of their own, apart from what other tests have closed just now.
  private func withLingering(
    _ lingering: Lingering, _ body: (Lingering, NodeEnvironment) async throws -> Void
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    switch Backend.current {
    case .nio:
      let scheduler = LoopScheduler(MultiThreadedEventLoopGroup.singleton.next())
      let transport = SocketTransport(lingering: lingering)
      try await body(lingering, NodeEnvironment(scheduler: scheduler, transport: transport, logger: logger))
    case .epoll, .epollOneByOne:
      let calls: SocketCalls = Backend.current == .epoll ? .together : .oneByOne
      let loops = EpollLoops(count: 1, lingering: lingering, calls: calls)
      try await body(lingering, .sockets(on: loops, logger: logger))
      await loops.shutDown()
    case .epollWithIOLoops:
      let loops = EpollLoops(count: 3, lingering: lingering)
      let node = loops.next()
      let transport = EpollTransport(ioLoops: IOLoops(of: [loops.next(), loops.next()]))
      try await body(lingering, NodeEnvironment(scheduler: node, transport: transport, logger: logger))
      await loops.shutDown()
    }
  }
}
