import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// What the sockets tell once must not be forgotten, whatever the node is doing when they do.
@Suite(.onEveryBackend) struct SocketEventTests {
  /// A node with one peer on a plain socket, whose reading is paused.
  private func withPausedPeer(_ body: (TestNode<Recorder>, RawSocket) async throws -> Void) async throws {
    try await withNode(Recorder()) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { $0.connections[0].pauseReading() }
      try await body(node, raw)
    }
  }

  private func resume(_ node: TestNode<Recorder>) async {
    await node.look { for connection in $0.connections { connection.resumeReading() } }
  }

  @Test func `What arrives while reading is paused comes when it goes on`() async throws {
    try await withPausedPeer { node, raw in
      for number in UInt8(0)..<50 {
        try await raw.sendAll(frame([number]))
        // The loop has a turn in between, so that it is told of each.
        _ = await node.connected
      }
      #expect(node.logic.messages.isEmpty)
      await resume(node)
      try await eventually("all are there") { node.logic.messages.count == 50 }
      #expect(node.logic.messages == (UInt8(0)..<50).map { [$0] })
    }
  }

  @Test func `What comes behind an urgent byte is read, too`() async throws {
    try await withPausedPeer { node, raw in
      try await raw.sendAll(frame([1]))
      raw.sendUrgent(9)
      try await raw.sendAll(frame([2]))
      for _ in 0..<20 { _ = await node.connected }
      await resume(node)
      try await eventually("both are there") { node.logic.messages == [[1], [2]] }
    }
  }

  @Test func `An end that arrives with bytes while reading is paused comes after them`() async throws {
    try await withPausedPeer { node, raw in
      try await raw.sendAll(frame([1]) + frame([2]))
      raw.endWriting()
      for _ in 0..<20 { _ = await node.connected }
      #expect(node.logic.messages.isEmpty && node.logic.reasons.isEmpty)
      await resume(node)
      try await node.logic.sawReason(.eof)
      #expect(node.logic.messages == [[1], [2]])
    }
  }

  @Test func `A reset is noticed while reading is paused`() async throws {
    try await withPausedPeer { node, raw in
      raw.reset()
      try await node.logic.sawReason(.reset)
    }
  }

  @Test func `Bytes and an end at once, many times over: all bytes come, then the end`() async throws {
    try await withNode(Recorder()) { node in
      for count in 1...100 {
        let raw = try RawSocket(to: await node.address)
        try await raw.sendAll(frame([UInt8](repeating: UInt8(count), count: count * 40)))
        raw.endWriting()
        try await eventually("end \(count)") { node.logic.reasons.count == count }
        let rest = try await raw.receiveRest()
        #expect(rest.bytes.isEmpty && rest.ending == .end)
      }
      #expect(node.logic.messages.map(\.count) == (1...100).map { $0 * 40 })
      #expect(node.logic.reasons.allSatisfy { $0 == .eof })
    }
  }

  @Test func `A peer that floods does not keep the others waiting`() async throws {
    /// Echoes, but for what is large.
    final class Sink: Recorder, @unchecked Sendable {
      override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
        if message.count < 100 { _ = connection.trySend(message) }
      }
    }
    try await withNode(Sink(.lengthPrefixed(max: 1 << 20))) { node in
      let address = await node.address
      let isOver = Mutex(false)
      let flooder = try RawSocket(to: address)
      let flood = Task.detached {
        let bytes = frame([UInt8](repeating: 0, count: 1 << 20))
        var rest = bytes[...]
        while !isOver.withLock({ $0 }) {
          rest = rest.dropFirst(flooder.send(Array(rest)))
          if rest.isEmpty { rest = bytes[...] }
          await Task.yield()
        }
      }
      let quiet = try RawSocket(to: address)
      for number in UInt8(0)..<100 {
        quiet.send(frame([number]))
        #expect(try await quiet.receive(5) == frame([number]))
      }
      isOver.withLock { $0 = true }
      await flood.value
    }
  }

  @Test func `A peer that does not read gets everything once it does, in order`() async throws {
    try await withNode(Recorder()) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let message = [UInt8](repeating: 7, count: 60_000)
      let sending = Task {
        await node.look { local in
          (0..<100).count { _ in
            message.withUnsafeBytes { local.connections[0].trySend($0) } == .queued
          }
        }
      }
      let queued = await sending.value
      #expect(queued > 10)
      let bytes = try await raw.receive(queued * (message.count + 4))
      #expect(bytes == (0..<queued).flatMap { _ in frame(message) })
    }
  }
}
