import NodeCore
import NodeEngine
import Synchronization

struct Refusal: Error {}

/// The hooks of a node in Swift: they keep the record, and do what the messages ask for.
class SwiftLogic: Framed, Handshaking, OnConnecting, OnDisconnecting, @unchecked Sendable {
  // Immutable but for the mutex and what is touched on the node's loop only.
  let record: NodeRecord
  let verdict: Verdict
  private let generator: Mutex<SeededGenerator>
  private var broadcasts: UInt32 = 0

  init(_ record: NodeRecord, _ verdict: Verdict, _ generator: SeededGenerator) {
    self.record = record
    self.verdict = verdict
    self.generator = Mutex(generator)
  }

  private func dice(_ sides: Int) -> Int { generator.withLock { Int.random(in: 0..<sides, using: &$0) } }

  func check(_ problem: String?) {
    if let problem { verdict.fail("node \(record.key) (Swift): \(problem)") }
  }

  func framing(for connection: Connection) throws -> Framing { .init(.lengthPrefixed(.four, .big, includesHeader: false)) }

  nonisolated(nonsending) func handshake(_ connection: Connection) async throws -> String? {
    try await connection.write(end(connection).greeting)
    let peer = EndKey(greeting: try await connection.read(12))
    switch dice(120) {
    case 0: throw Refusal()
    case 1...5: await Task.yield()
    case 6:
      // For ever, as far as the peer is concerned; what came meanwhile belongs to nobody.
      _ = try await connection.read(1 << 16)
      throw Refusal()
    default: break
    }
    return "\(peer)"
  }

  nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
    check(record.connected(connection.id.rawValue, peer: connection.peer.flatMap(EndKey.init)))
    if dice(150) == 0 { throw Refusal() }
  }

  nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
    let sent = connection.statistics.messagesSent
    check(record.disconnected(connection.id.rawValue, sent: Int(sent)))
    if dice(4) == 0 { await Task.yield() }
  }

  private func end(_ connection: Connection) -> EndKey { EndKey(node: record.key, connection: connection.id.rawValue) }

  /// Notes it and does what it asks for.
  func take(_ bytes: UnsafeRawBufferPointer, from connection: Connection) throws {
    guard let message = Message(bytes) else { return check("a message arrived that nobody has sent (\(bytes.count) bytes)") }
    check(
      record.handled(connection.id.rawValue, from: message.sender, lane: message.lane, number: message.number))
    switch message.action {
    case .echo: _ = queue(connection, .nothing, padding: 40)
    case .raise: throw Refusal()
    case .disconnect: connection.disconnect(DisconnectReason(.local))
    case .abort: connection.abort(DisconnectReason(.local))
    case .hold: hold(connection)
    case .pause:
      connection.pauseReading()
      connection.node.scheduler.schedule(after: .milliseconds(10)) { connection.resumeReading() }
    case .shutDown: connection.node.shutDown {}
    case .spawn: broadcast(connection.node, .nothing, padding: 30)
    default: break
    }
  }

  func hold(_ connection: Connection) {
    connection.holdMessages()
    connection.node.scheduler.schedule(after: .milliseconds(10)) { connection.releaseMessages() }
  }

  // Sending; on the node's loop, where a number and its place in the queue are given in one step.

  /// The number of the last message sent on a connection.
  private final class Numbers { var last: UInt32 = 0 }

  func queue(_ connection: Connection, _ action: Message.Action, padding: Int) -> SendOutcome {
    // While it is being closed there could be last words; then nobody would know how many it was in the end.
    guard connection.isOpen else { return .closed }
    let numbers = connection.owner as? Numbers ?? Numbers()
    connection.owner = numbers
    let message = Message(sender: end(connection), lane: .sent, number: numbers.last + 1, action: action)
    let outcome = message.bytes(padding: padding).withUnsafeBytes { connection.send($0) }
    if outcome == .queued { numbers.last += 1 }
    return outcome
  }

  /// One after the other, as there is room.
  func send(_ connection: Connection, _ actions: ArraySlice<Message.Action>, padding: Int, _ done: @escaping @Sendable () -> Void)
  {
    guard let first = actions.first else { return done() }
    switch queue(connection, first, padding: padding) {
    case .queued: send(connection, actions.dropFirst(), padding: padding, done)
    case .wait, .full:
      _ = connection.whenWritable { [self] isOpen in
        isOpen ? send(connection, actions, padding: padding, done) : done()
      }
    case .closed, .refused: done()
    }
  }

  func broadcast(_ node: LocalNode, _ action: Message.Action, padding: Int) {
    broadcasts += 1
    let message = Message(sender: .everybody(from: record.key), lane: .broadcast, number: broadcasts, action: action)
    let bytes = message.bytes(padding: padding)
    for connection in node.connections { _ = bytes.withUnsafeBytes { connection.trySend($0) } }
  }
}

/// A call for each message.
final class ProcessingLogic: SwiftLogic, MessageProcessing, @unchecked Sendable {
  func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
    try take(message, from: connection)
  }
}

/// A conversation that takes each message by itself.
final class ConversingLogic: SwiftLogic, Conversing, @unchecked Sendable {
  nonisolated(nonsending) func session(_ connection: Connection) async throws {
    while let message = try await connection.receive() {
      try message.withUnsafeBytes { try take($0, from: connection) }
    }
  }

  /// There is no queue of calls to hold; it is the conversation that waits.
  override func hold(_ connection: Connection) {}
}
