import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// Straight-line reading and writing in a session.
@Suite(.onEveryBackend) struct ConversationTests {
  /// Runs the body as its session and keeps what came of it.
  private final class Session: Recorder, Conversing, @unchecked Sendable {
    enum Step: Sendable { case read(Int), line(max: Int), message, codec(Framing), twoReaders, close }
    let steps: [Step]
    let results = Mutex<[String]>([])

    init(_ steps: [Step]) {
      self.steps = steps
      super.init()
    }

    nonisolated(nonsending) func session(_ connection: Connection) async throws {
      for step in steps {
        let result: String
        do throws(NodeError) {
          switch step {
          case .read(let count): result = String(decoding: try await connection.read(count), as: UTF8.self)
          case .line(let max): result = String(decoding: try await connection.read(until: [13, 10], max: max), as: UTF8.self)
          case .message: result = try await connection.receive().map { String(decoding: $0, as: UTF8.self) } ?? "end"
          case .codec(let framing):
            connection.framing = framing
            result = "ok"
          case .close:
            connection.disconnect(DisconnectReason(.local))
            result = "closed"
          case .twoReaders:
            let token = connection.whenReadable { _ in }
            defer { token.cancel() }
            result = String(decoding: try await connection.read(10), as: UTF8.self)
          }
        } catch {
          result = error.code.rawValue
        }
        results.withLock { $0.append(result) }
      }
    }

    var outcome: [String] { results.withLock { $0 } }
  }

  @Test func `Once the connection is being closed, a conversation gets none of the messages that are left`() async throws {
    let session = Session([.message, .close, .message])
    try await withNode(session) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame(Array("a".utf8)) + frame(Array("b".utf8)) + frame(Array("c".utf8)))
      try await eventually("it is over") { session.outcome.count == 3 }
      #expect(session.outcome == ["a", "closed", "end"])
      raw.close()
    }
  }

  private func run(_ steps: [Session.Step], _ send: (RawSocket) async throws -> Void) async throws -> [String] {
    let session = Session(steps)
    return try await withNode(session, { $0.maxReadBuffer = 100 }) { node in
      let raw = try RawSocket(to: await node.address)
      try await send(raw)
      try await eventually("the session is over") { session.outcome.count == steps.count }
      raw.close()
      return session.outcome
    }
  }

  @Test func `Bytes, lines and messages in turn, however they arrive`() async throws {
    let wire = Array("abcline\r\n".utf8) + frame(Array("msg".utf8)) + Array("tail\n".utf8)
    for pieces in [[wire], wire.map { [$0] }] {
      let outcome = try await run([.read(3), .line(max: 10), .message, .codec(.lines()), .message]) { raw in
        for piece in pieces { try await raw.sendAll(piece) }
      }
      #expect(outcome == ["abc", "line", "msg", "ok", "tail"])
    }
  }

  @Test func `What was asked for and can no longer come`() async throws {
    #expect(
      try await run([.read(3), .read(3), .read(1)]) { raw in
        raw.send(Array("abcde".utf8))
        raw.endWriting()
      } == ["abc", "closed", "d"])
    #expect(
      try await run([.message, .message]) { raw in
        raw.send(frame(Array("one".utf8)) + [0, 0])
        raw.endWriting()
      } == ["one", "end"])
  }

  @Test func `More than may be held is refused at once`() async throws {
    #expect(try await run([.read(101)]) { _ in } == ["too_large"])
    #expect(try await run([.line(max: 5)]) { $0.send(Array("abcdefgh".utf8)) } == ["too_large"])
  }

  @Test func `One reader at a time`() async throws {
    #expect(try await run([.twoReaders]) { _ in } == ["busy"])
  }
}
