import Glibc
import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// Time-outs of a live connection.
@Suite(.onEveryBackend) struct TimeoutTests {
  @Test func `A peer that says nothing is disconnected, and it is counted`() async throws {
    let logic = Recorder()
    try await withNode(logic, { $0.idleTimeout = .milliseconds(50) }) { node in
      let raw = try RawSocket(to: await node.address)
      #expect(try await raw.receiveRest().ending == .end)
      try await logic.sawReason(.idle)
      #expect(await node.node.heuristics().idleTimeouts == 1)
      #expect(await node.connected == 0)
    }
  }

  @Test func `A part of a message does not count as one`() async throws {
    let logic = Recorder()
    try await withNode(logic, { $0.idleTimeout = .milliseconds(200) }) { node in
      let raw = try RawSocket(to: await node.address)
      // A byte of a long frame now and then would keep the connection for ever.
      raw.send([0, 15, 0, 0])
      var count = 4
      try await eventually("it has had enough") {
        guard logic.reasons.isEmpty else { return true }
        if await node.look({ $0.connections.first?.inbound.count ?? 0 }) >= count { count += raw.send([1]) }
        return false
      }
      try await logic.sawReason(.idle)
      raw.close()
    }
  }

  @Test func `A message puts it off: what counts is the time since the last one`() async throws {
    let logic = Recorder()
    try await withNode(logic, { $0.idleTimeout = .milliseconds(300) }) { node in
      let raw = try RawSocket(to: await node.address)
      let start = ContinuousClock.now
      var last = start
      var sent = 0
      // Each message once the one before has been handled; on a busy machine a gap may be a time-out's length.
      var isLate = false
      try await eventually("three time-outs have passed") {
        guard logic.messages.count == sent, logic.reasons.isEmpty else { return !logic.reasons.isEmpty }
        isLate = isLate || ContinuousClock.now - last > .milliseconds(250)
        last = .now
        raw.send(frame([1]))
        sent += 1
        return ContinuousClock.now - start >= .milliseconds(900)
      }
      #expect(isLate || ContinuousClock.now - last > .milliseconds(250) || logic.reasons.isEmpty)
      try await logic.sawReason(.idle)
      // A loop that stood still meanwhile may find the time over before it finds the last message.
      isLate = isLate || logic.messages.count < sent
      #expect(isLate || ContinuousClock.now - last >= .milliseconds(290))
      raw.close()
    }
  }

  @Test func `0 is none`() async throws {
    let logic = Recorder()
    try await withNode(logic, { $0.idleTimeout = .zero }) { node in
      try await withNode(Recorder(), { $0.idleTimeout = .milliseconds(50) }) { short in
        let raw = try RawSocket(to: await node.address)
        let other = try RawSocket(to: await short.address)
        try await eventually("the one with a time-out has had enough") { !short.logic.reasons.isEmpty }
        #expect(await node.connected == 1)
        #expect(await node.look { $0.connections[0].idleTimer == nil })
        raw.close()
        other.close()
      }
    }
  }

  @Test func `Time in which the hook itself holds messages back does not count`() async throws {
    final class Holder: Recorder, @unchecked Sendable {
      override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
        try super.process(message, from: connection)
        connection.holdMessages()
      }
    }
    let logic = Holder()
    try await withNode(logic, { $0.idleTimeout = .milliseconds(500) }) { node in
      try await withNode(Recorder(), { $0.idleTimeout = .milliseconds(1200) }) { clock in
        let raw = try RawSocket(to: await node.address)
        raw.send(frame([1]))
        try await eventually("the hook holds") { logic.messages.count == 1 }
        let other = try RawSocket(to: await clock.address)
        try await eventually("some time has passed") { !clock.logic.reasons.isEmpty }
        #expect(await node.connected == 1)
        await node.look { $0.connections.first?.releaseMessages() }
        try await logic.sawReason(.idle)
        raw.close()
        other.close()
      }
    }
  }

  /// Fills the way to the peer as soon as it is connected, and waits for it to have left.
  private final class Flusher: Recorder, @unchecked Sendable {
    let outcome = Mutex<String?>(nil)
    let amount: Int
    init(_ amount: Int) {
      self.amount = amount
      super.init(.bytes)
    }
    override nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
      try await super.onConnect(connection)
      try connection.setOption("send_buffer", .integer(8192))
      for _ in 0..<amount {
        let bytes = [UInt8](repeating: 7, count: 1 << 16)
        _ = bytes.withUnsafeBytes { connection.trySend($0) }
      }
      do {
        try await connection.flush()
        outcome.withLock { $0 = "flushed" }
      } catch {
        outcome.withLock { $0 = error.message }
      }
    }
  }

  @Test func `Who does not read is disconnected, and flush says so`() async throws {
    let logic = Flusher(16)
    try await withNode(logic, { $0.writeTimeout = .milliseconds(100) }) { node in
      let raw = try RawSocket(to: await node.address, receiveBuffer: 4096)
      try await logic.sawReason(.writeTimeout)
      try await eventually("flush has its answer") { logic.outcome.withLock { $0 } != nil }
      #expect(logic.outcome.withLock { $0 }?.contains("write_timeout") == true)
      #expect(await node.node.heuristics().writeTimeouts == 1)
      try await eventually("its place is free") { await node.connected == 0 }
      raw.close()
    }
  }

  @Test func `Who reads slowly but steadily is not`() async throws {
    let logic = Flusher(6)
    try await withNode(logic, { $0.writeTimeout = .seconds(1) }) { node in
      let raw = try RawSocket(to: await node.address, receiveBuffer: 4096)
      // For longer in all than write_timeout, and on a thread that no other test holds up.
      let total = await onOwnThread {
        var total = 0
        while total < 6 << 16 {
          switch raw.poll(4096) {
          case .bytes(let bytes): total += bytes.count
          case .nothing: break
          case .end, .reset: return total
          }
          poll(nil, 0, 15)
        }
        return total
      }
      #expect(total == 6 << 16)
      try await eventually("flush has its answer") { logic.outcome.withLock { $0 } != nil }
      #expect(logic.outcome.withLock { $0 } == "flushed")
      #expect(await node.node.heuristics().writeTimeouts == 0)
      raw.close()
    }
  }

  @Test func `Progress is looked for four times within write_timeout, so that its last moment is known`() async throws {
    let logic = Flusher(16)
    // Of NIO's loop, since streams of ours ask their scheduler for more than its protocol has.
    let (environment, scheduler) = RecordingScheduler.environment()
    try await withNode(logic, in: environment, { $0.writeTimeout = .seconds(4321 * 4) }) { node in
      let raw = try RawSocket(to: await node.address, receiveBuffer: 4096)
      try await eventually("it waits for the peer") { scheduler.delays.contains(.seconds(4321)) }
      #expect(!scheduler.delays.contains(.seconds(4321 * 4)))
      raw.close()
    }
  }

  @Test func `A peer that does not read does not hold a disconnect up for longer`() async throws {
    let logic = Flusher(16)
    try await withNode(logic, { $0.writeTimeout = .seconds(1) }) { node in
      let raw = try RawSocket(to: await node.address, receiveBuffer: 4096)
      try await eventually("it is there") { await node.connected == 1 }
      let id = await node.node.connections().first?.id
      if let id { await node.node.disconnect(id) }
      #expect(await node.node.counts == (0, 0))
      #expect(await node.node.heuristics().writeTimeouts == 1)
      #expect(logic.reasons.count == 1)
      raw.close()
    }
  }

  @Test func `flush with nothing queued, and on a connection that is over`() async throws {
    let logic = Flusher(0)
    try await withNode(logic) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("flush has its answer") { logic.outcome.withLock { $0 } == "flushed" }
      raw.close()
    }
    final class Late: Recorder, @unchecked Sendable {
      let outcome = Mutex<String?>(nil)
      override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
        let bytes = [UInt8](repeating: 1, count: 10)
        _ = bytes.withUnsafeBytes { connection.trySend($0) }
        do { try await connection.flush() } catch { outcome.withLock { $0 = error.message } }
        await super.onDisconnect(connection, reason)
      }
    }
    let late = Late()
    try await withNode(late) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { $0.connections[0].abort(DisconnectReason(.local)) }
      try await eventually("the hook is over") { late.reasons == [.local] }
      raw.close()
    }
  }
}
