import NodeCore
import Synchronization

@testable import NodeEngine

/// No hooks at all.
struct Quiet: Sendable {}

/// What happened at a node, in order.
enum Event: Sendable, Equatable {
  case connected(ConnectionID)
  case message(ConnectionID, [UInt8])
  case disconnected(ConnectionID, DisconnectReason.Kind)
}

/// Notes everything; the base of the logics below.
class Recorder: Framed, MessageProcessing, OnConnecting, OnDisconnecting, @unchecked Sendable {
  // Immutable but for the mutex; subclasses keep it so.
  let framing: Framing
  let log = Mutex<[Event]>([])

  init(_ framing: Framing = .lengthPrefixed()) { self.framing = framing }

  func framing(for connection: Connection) throws -> Framing { framing }

  func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
    log.withLock { $0.append(.message(connection.id, Array(message))) }
  }

  nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
    log.withLock { $0.append(.connected(connection.id)) }
  }

  nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
    log.withLock { $0.append(.disconnected(connection.id, reason.kind)) }
  }

  var events: [Event] { log.withLock { $0 } }
  var messages: [[UInt8]] { events.compactMap { if case .message(_, let bytes) = $0 { bytes } else { nil } } }
  var connects: [ConnectionID] { events.compactMap { if case .connected(let id) = $0 { id } else { nil } } }
  var disconnects: [ConnectionID] { events.compactMap { if case .disconnected(let id, _) = $0 { id } else { nil } } }
  var reasons: [DisconnectReason.Kind] { events.compactMap { if case .disconnected(_, let kind) = $0 { kind } else { nil } } }

  func sawReason(_ kind: DisconnectReason.Kind) async throws {
    try await eventually("a disconnect, for \(kind.rawValue)") { !self.reasons.isEmpty }
    if reasons.last != kind { throw NeverHappened(what: "\(kind.rawValue), it was \(reasons)") }
  }
}

/// Sends every message back.
final class Echo: Recorder, @unchecked Sendable {
  override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
    try super.process(message, from: connection)
    _ = connection.trySend(message)
  }
}

/// A door that tasks wait at until it is opened.
final class Door: Sendable {
  private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

  func open() {
    let waiting = state.withLock { state in
      defer { state = (true, []) }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Does not care whether its task is cancelled.
  nonisolated(nonsending) func pass() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }
}

/// Bytes as they go over the wire, with the default framing.
func frame(_ message: [UInt8]) -> [UInt8] {
  let count = UInt32(message.count)
  return [
    UInt8(truncatingIfNeeded: count >> 24), UInt8(truncatingIfNeeded: count >> 16), UInt8(truncatingIfNeeded: count >> 8),
    UInt8(truncatingIfNeeded: count),
  ]
    + message
}

/// Waits in its handshake as it is told.
final class Shaker: Recorder, Handshaking, @unchecked Sendable {
  enum Way: Sendable {
    case accept(String?)
    case refuse
    /// Each side sends a byte and takes the other's, which becomes the peer's name.
    case exchange(UInt8)
    /// Until the door opens, cancelled or not.
    case wait(Door)
    /// For bytes that never come.
    case read
    /// Writes something, then refuses.
    case explain([UInt8])
  }

  struct Refusal: Error, CustomStringConvertible { let description = "not with you" }

  let way: Way
  init(_ way: Way) {
    self.way = way
    super.init()
  }

  nonisolated(nonsending) func handshake(_ connection: Connection) async throws -> String? {
    switch way {
    case .accept(let name): return name
    case .refuse: throw Refusal()
    case .exchange(let byte):
      try await connection.write([byte])
      return String(try await connection.read(1)[0])
    case .wait(let door):
      await door.pass()
      return nil
    case .read:
      _ = try await connection.read(1 << 10)
      return nil
    case .explain(let bytes):
      try await connection.write(bytes)
      throw Refusal()
    }
  }
}

/// A conversation instead of messages: answers until the peer ends or says 0.
final class Talker: Recorder, Conversing, @unchecked Sendable {
  nonisolated(nonsending) func session(_ connection: Connection) async throws {
    while let message = try await connection.receive() {
      if message == [0] { return }
      if message == [255] { throw Shaker.Refusal() }
      try await connection.send(message)
    }
  }
}
