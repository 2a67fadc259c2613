import Logging
import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// What happens while the message hook is busy.
@Suite(.onEveryBackend) struct BackpressureTests {
  /// Holds messages back after the first, until it is told to go on.
  private final class Holder: Recorder, @unchecked Sendable {
    let isOpen = Mutex(false)
    override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
      try super.process(message, from: connection)
      if !isOpen.withLock({ $0 }) { connection.holdMessages() }
    }
    func release<L>(_ node: TestNode<L>) async {
      isOpen.withLock { $0 = true }
      await node.look { local in for connection in local.connections { connection.releaseMessages() } }
    }
  }

  private struct Log: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .warning
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.message)") } }
  }
  private final class Lines: Sendable { let all = Mutex<[String]>([]) }

  @Test func `The peer's writes stall, and what is held is bounded; then all is handled in order`() async throws {
    let holder = Holder(.lengthPrefixed(max: 65_536))
    try await withNode(holder, { ($0.maxReadBuffer, $0.inboundQueue, $0.idleTimeout) = (100_000, 1_000_000, .zero) }) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let limit = await node.look { $0.connections[0].readLimit }
      #expect(limit == 100_000)
      var sent = 0
      var number = 0
      var rest: ArraySlice<UInt8> = []
      var stalls = 0
      // Stalled: nothing was taken in many attempts in a row, with the loop free to read in between.
      while stalls < 200, sent < 200 << 20 {
        if rest.isEmpty {
          rest = frame([UInt8(number & 255), UInt8(number >> 8 & 255)] + [UInt8](repeating: 0, count: 10_000))[...]
          number += 1
        }
        let count = raw.send(Array(rest))
        rest = rest.dropFirst(count)
        sent += count
        stalls = count == 0 ? stalls + 1 : 0
        if count == 0 { _ = await node.connected }
      }
      #expect(stalls == 200, "\(sent) bytes were taken")
      let held = await node.look { $0.connections[0].inbound.count }
      // One read that was under way when reading stopped: four pieces of at most 256 KiB.
      #expect(held <= limit + 4 * (256 << 10))
      #expect(holder.messages.count == 1)
      await holder.release(node)
      try await raw.sendAll(Array(rest))
      try await eventually("all is handled") { holder.messages.count == number }
      #expect(
        holder.messages.enumerated().allSatisfy {
          $0.element[0] == UInt8($0.offset & 255) && $0.element[1] == UInt8($0.offset >> 8 & 255)
        })
      raw.close()
    }
  }

  @Test func `Not more than inbound_queue messages wait`() async throws {
    let holder = Holder()
    try await withNode(holder, { ($0.inboundQueue, $0.idleTimeout) = (4, .zero) }) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([0]))
      try await eventually("the hook is busy") { holder.messages.count == 1 }
      for number in 1...3 as ClosedRange<UInt8> { raw.send(frame([number])) }
      try await eventually("three wait") { await node.look { $0.connections[0].inbound.waitingMessages(limit: 100) } == 3 }
      raw.send(frame([4]))
      try await eventually("four wait") { await node.look { $0.connections[0].inbound.waitingMessages(limit: 100) } == 4 }
      #expect(holder.messages.count == 1)
      await holder.release(node)
      try await eventually("all are handled") { holder.messages == (0...4).map { [$0] } }
      raw.close()
    }
  }

  @Test func `The end of the peer waits for the hook too`() async throws {
    let holder = Holder()
    try await withNode(holder) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([0]) + frame([1]) + frame([2]))
      raw.endWriting()
      try await eventually("the hook is busy") { holder.messages.count == 1 }
      try await eventually("the end is known") { await node.look { $0.connections.first?.inbound.isEnded == true } }
      #expect(holder.reasons.isEmpty)
      await holder.release(node)
      try await holder.sawReason(.eof)
      #expect(holder.messages == [[0], [1], [2]])
      raw.close()
    }
  }

  @Test func `Drop mode keeps inbound_queue messages, drops and counts the others, and says so once a second`() async throws {
    let lines = Lines()
    let logger = Logger(label: "test") { _ in Log(lines: lines) }
    let holder = Holder()
    let start = ContinuousClock.now
    try await withNode(holder, logger: logger, { ($0.inboundQueue, $0.inboundPolicy, $0.idleTimeout) = (4, .drop, .zero) }) {
      node in
      let raw = try RawSocket(to: await node.address)
      for burst in 0..<20 as Range<UInt8> {
        raw.send((0..<5).flatMap { frame([burst * 5 + $0]) })
        try await eventually("it is dealt with") {
          await node.node.heuristics().droppedMessages == UInt64(max(0, Int(burst) * 5))
        }
      }
      #expect(holder.messages == [[0]])
      await holder.release(node)
      try await eventually("those that were kept are handled") { holder.messages == (0...4).map { [$0] } }
      raw.send(frame([200]))
      try await eventually("later ones too") { holder.messages.last == [200] }
      #expect(await node.node.heuristics().droppedMessages == 95)
      raw.close()
    }
    let dropped = lines.all.withLock { $0.filter { $0.contains("dropped") } }
    #expect(dropped.first?.contains("dropped 5 messages") == true)
    #expect(dropped.count <= Int((ContinuousClock.now - start) / .seconds(1)) + 1)
  }

  @Test func `Drop mode leaves what is left of a cut message whole`() async throws {
    let holder = Holder()
    try await withNode(holder, { ($0.inboundQueue, $0.inboundPolicy, $0.idleTimeout) = (1, .drop, .zero) }) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([0]) + frame([1]) + frame([2]) + [0, 0, 0])
      try await eventually("one is dropped") { await node.node.heuristics().droppedMessages == 1 }
      await holder.release(node)
      raw.send([1, 9] + frame([10]))
      try await eventually("the cut one is whole") { holder.messages == [[0], [1], [9], [10]] }
      raw.close()
    }
  }

  @Test func `Reading can be paused and resumed`() async throws {
    let logic = Recorder()
    try await withNode(logic) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { $0.connections[0].pauseReading() }
      raw.send(frame([1]))
      let other = try RawSocket(to: await node.address)
      other.send(frame([2]))
      try await eventually("the other one is heard") { logic.messages == [[2]] }
      await node.look { $0.connections[0].resumeReading() }
      try await eventually("now this one is too") { logic.messages == [[2], [1]] }
      raw.close()
      other.close()
    }
  }

  @Test func `A message that max_read_buffer cannot hold ends the connection, in words`() async throws {
    let logic = Recorder()
    try await withNode(logic, { $0.maxReadBuffer = 1000 }) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([1]) + [0, 0, 4, 0])
      try await logic.sawReason(.decode)
      #expect(logic.messages == [[1]])
      raw.close()
    }
  }
}
