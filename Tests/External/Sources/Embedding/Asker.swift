import Logging
import NodeCore
import NodeEngine
import Synchronization

/// A node's logic in Swift: no script, just the hooks it conforms to.
final class Asker: Framed, Conversing, OnDisconnecting {
  private let state = Mutex<(answers: [String], reason: DisconnectReason?)>(([], nil))
  var answers: [String] { state.withLock { $0.answers } }
  var reason: DisconnectReason? { state.withLock { $0.reason } }

  func framing(for connection: Connection) -> Framing { .lines() }

  nonisolated(nonsending) func session(_ connection: Connection) async throws {
    for word in ["one", "two", ""] {
      try await connection.send(Array(word.utf8))
      guard let answer = try await connection.receive() else { return }
      state.withLock { $0.answers.append(String(decoding: answer, as: UTF8.self)) }
    }
    // Returning ends the connection.
  }

  nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
    state.withLock { $0.reason = reason }
  }
}

/// Lets a node with that logic talk to whoever listens at the address, until the conversation is over.
func ask(_ address: PeerAddress, _ logger: Logger) async throws -> Asker {
  let asker = Asker()
  var configuration = NodeConfiguration()
  configuration.name = "asker"
  configuration.listen = []
  let node = try Node(configuration: configuration, environment: .sockets(logger: logger)) { SwiftHooks(asker, node: $0) }
  try await node.start()
  _ = try await node.connect(to: address)
  while await node.counts.connected > 0 { await Task.yield() }
  await node.shutDown()
  return asker
}
