import Logging
import NodeCore
import Testing

@testable import NodeEngine

/// Loops that end, and what was on them.
@Suite struct EpollLoopsTests {
  private func node(_ logic: Recorder, on loops: EpollLoops, ioLoops: Int = 0) async throws -> Node {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    var configuration = NodeConfiguration()
    configuration.ioLoops = ioLoops
    let node = try Node(configuration: configuration, environment: .sockets(on: loops, logger: logger)) {
      SwiftHooks(logic, node: $0)
    }
    try await node.start()
    return node
  }

  @Test func `Nodes are spread over the loops, and two on one loop talk to each other`() async throws {
    let loops = EpollLoops(count: 2)
    #expect(loops.next() !== loops.next())
    for count in 1...2 {
      let own = EpollLoops(count: count)
      let first = try await node(Echo(), on: own)
      let recorder = Recorder()
      let second = try await node(recorder, on: own)
      let connection = try await second.connect(to: await first.address!)
      try await second.send([1, 2, 3], to: connection.id)
      try await eventually("the answer") { recorder.messages == [[1, 2, 3]] }
      await first.shutDown()
      await second.shutDown()
      await own.shutDown()
    }
    await loops.shutDown()
  }

  @Test func `A loop that has ended lets go of what is still posted to it, and is freed`() async throws {
    weak var gone: EpollLoop?
    do {
      let loops = EpollLoops(count: 1)
      let loop = loops.first
      gone = loop
      await loops.shutDown()
      loop.execute { _ = loop }
    }
    try await eventually("it is freed") { gone == nil }
  }

  @Test(arguments: [0, 2]) func `A loop that ends takes its sockets with it, its I/O loops' too`(ioLoops: Int) async throws {
    let loops = EpollLoops(count: 1)
    let recorder = Recorder()
    let node = try await node(recorder, on: loops, ioLoops: ioLoops)
    let address = await node.address!
    let raw = try RawSocket(to: address)
    try await eventually("it is there") { await node.counts.connected == 1 }
    await loops.shutDown()
    _ = try await raw.receiveRest()
    #expect(recorder.reasons == [.shutdown])
    try await eventuallyNobodyListens(at: address)
    // It was not shut down before, as it should have been, so it would keep itself for ever, and the leak sanitizer would see it.
    node.bound.value.phase = .stopped
  }
}
