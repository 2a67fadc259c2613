import Logging
import NIOPosix
import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// A node whose sockets other loops carry (`io_loops`). That it keeps every promise is what the suites on every backend show.
@Suite struct IOLoopTests {
  @Test func `The streams are spread over the loops, and leave them`() async throws {
    let loops = EpollLoops(count: 3)
    let ioLoops = IOLoops(of: [loops.next(), loops.next()])
    var environment = NodeEnvironment.sockets(on: loops)
    environment.transport = EpollTransport(ioLoops: ioLoops)
    environment.logger.logLevel = .critical
    func streams() -> [Int] { ioLoops.loops.map { $0.streams.load(ordering: .relaxed) } }
    try await withNode(Echo(), in: environment) { node in
      let address = await node.address
      let peers = try (0..<4).map { _ in try RawSocket(to: address) }
      try await eventually("all are there") { await node.connected == 4 }
      #expect(streams() == [2, 2])
      for peer in peers { peer.close() }
      try await eventually("all are gone") { await node.connected == 0 }
      #expect(streams() == [0, 0])
    }
    await loops.shutDown()
  }

  @Test func `NIO's sockets have none: that is refused, with the key's name`() async throws {
    var configuration = NodeConfiguration()
    configuration.ioLoops = 1
    let environment = NodeEnvironment.sockets(on: MultiThreadedEventLoopGroup.singleton)
    #expect {
      try Node(configuration: configuration, environment: environment) { SwiftHooks(Quiet(), node: $0) }
    } throws: { error in
      (error as? NodeError)?.code == .configuration && "\(error)".contains("io_loops")
    }
  }

  @Test func `Many streams at once keep their order, and nothing is lost, both ways`() async throws {
    let count = 400
    let echo = Echo()
    try await withNode(echo, { ($0.ioLoops, $0.outboundHighWater) = (3, 32 << 20) }) { server in
      let address = await server.address
      let replies = try await withThrowingTaskGroup(of: [[UInt8]].self) { group in
        for number in UInt8(0)..<6 {
          group.addTask {
            let recorder = Recorder()
            return try await withNode(recorder, { $0.ioLoops = 1 }) { client in
              let connection = try await client.node.connect(to: address)
              for turn in 0..<count {
                let message = [number, UInt8(turn & 255), UInt8(turn >> 8)] + [UInt8](repeating: number, count: turn * 7)
                try await client.node.send(message, to: connection.id)
              }
              try await eventually("all replies") { recorder.messages.count == count }
              return recorder.messages
            }
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      for own in replies {
        #expect(own.indices.allSatisfy { own[$0].count == 3 + $0 * 7 && Int(own[$0][1]) | Int(own[$0][2]) << 8 == $0 })
        #expect(Set(own.map(\.[0])).count == 1)
      }
      #expect(Set(replies.map { $0[0][0] }).count == 6)
    }
  }

  @Test func `What an I/O loop reads ahead of a node that does not read is bounded`() async throws {
    let channel = RelayChannel(-1)
    let half = RelayChannel.readAhead / 2
    channel.handOver(half)
    #expect(!channel.isFull)
    channel.handOver(half)
    #expect(channel.isFull)
    // Nothing was handled meanwhile: the pause holds, until half of it is.
    #expect(!channel.pause())
    #expect(!channel.handled(1))
    #expect(channel.handled(half))
    // Told once.
    #expect(!channel.handled(10))
    // Handled before the pause was seen: it ends at once.
    channel.handOver(1)
    #expect(channel.pause())
  }

  @Test func `A write that has left says so once, and nothing of the next one, which may have begun by then`() async throws {
    /// The node's loop, which is as quick as it can be.
    final class Quick: ByteStreamDelegate {
      let relay: StreamRelay
      let begin: () -> Void
      var heard = -1
      init(_ relay: StreamRelay, _ channel: RelayChannel) {
        self.relay = relay
        begin = { channel.unwritten.store(7, ordering: .relaxed) }
        told = { channel.unwritten.load(ordering: .relaxed) }
      }
      let told: () -> Int
      func streamWrote() {
        relay.streamWrote()
        heard = told()
        begin()
      }
      func streamReceived(_ bytes: UnsafeRawBufferPointer) {}
      func streamEnded() {}
      func streamMayWrite() { relay.streamMayWrite() }
      func streamWaits() {}
      func streamFailed(_ reason: DisconnectReason) {}
    }
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let (own, other) = (ends[0], ends[1])
    defer { close(other) }
    let loops = EpollLoops(count: 1)
    let loop = loops.next()
    let (heard, left) = await withCheckedContinuation { done in
      loop.execute {
        let stream = EpollStream(loop, own, local: .unix("a"), remote: .unix("b"))
        let channel = RelayChannel(own)
        let relay = StreamRelay(stream, channel)
        let delegate = Quick(relay, channel)
        stream.delegate = delegate
        let buffer = OutboundBuffer()
        [1, 2, 3].withUnsafeBytes { buffer.bytes.append($0) }
        channel.unwritten.store(3, ordering: .relaxed)
        relay.write(buffer)
        // Its turn comes with the end of this job.
        loop.append(
          .action {
            done.resume(returning: (delegate.heard, channel.unwritten.load(ordering: .relaxed)))
            stream.neverAdded()
          })
      }
    }
    #expect(heard == 0)
    #expect(left == 7)
    await loops.shutDown()
  }

  @Test(arguments: [1, 7, 1000, 4096, 5000])
  func `What waits needs little more memory than it has bytes, however small the pieces`(size: Int) {
    let stream = (0..<RelayChannel.readAhead).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var waiting: [ReceivedBytes] = []
    for start in stride(from: 0, to: stream.count, by: size) {
      stream[start..<Swift.min(start + size, stream.count)].withUnsafeBytes { waiting.gather(ReceivedBytes(copying: $0)) }
    }
    #expect(waiting.flatMap { Array($0.view) } == stream)
    // Two neighbours are more than 4 KiB, or they would be one.
    #expect(waiting.count <= 2 * stream.count / 4096 + 1)
  }

  @Test func `Buffers that nobody has needed for a while go back to the system`() {
    let buffers = ReadBuffers()
    let taken = (0..<4).map { _ in buffers.take() }
    for one in taken { buffers.give(back: one) }
    // They were in use until now.
    #expect(buffers.trim())
    let busy = buffers.take()
    #expect(busy == taken[3])
    buffers.give(back: busy)
    // Three of them were not needed.
    #expect(buffers.trim())
    #expect(!buffers.trim())
  }

  @Test func `Options are set on the socket from the node's loop, and not once it is closed`() async throws {
    try await withNode(Echo(), { $0.ioLoops = 1 }) { server in
      try await withNode(Recorder(), { $0.ioLoops = 1 }) { client in
        let id = try await client.dial(server).id
        let first = await client.look { local -> String? in
          do {
            try local.live[id]?.setOption("nodelay", .boolean(false))
            return nil
          } catch { return "\(error)" }
        }
        #expect(first == nil)
      }
    }
  }
}
