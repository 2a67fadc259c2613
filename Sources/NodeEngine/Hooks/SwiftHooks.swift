public import NodeCore

// The hooks of a node written in Swift: conform to as many as are needed. Each runs on the node's loop.

/// Something to agree on before a connection is live.
public protocol Handshaking: Sendable {
  /// Under `handshakeTimeout`; what it returns becomes `connection.peer`; an error rejects the connection.
  nonisolated(nonsending) func handshake(_ connection: Connection) async throws -> String?
}

/// Messages with a framing; without it they are chunks of bytes as they come.
public protocol Framed: Sendable {
  /// How the connection's bytes are cut into messages.
  func framing(for connection: Connection) throws -> Framing
}

/// Messages, one call each.
public protocol MessageProcessing: Sendable {
  /// Once per message, in order. The bytes are valid during the call.
  ///
  /// A protocol that needs to wait before the next one calls `connection.holdMessages()`, and `releaseMessages()` later.
  func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws
}

/// A straight-line conversation instead of message calls.
public protocol Conversing: Sendable {
  /// A conversation of its own instead of messages: `receive` in a loop; returning closes the connection.
  nonisolated(nonsending) func session(_ connection: Connection) async throws
}

/// Something to do when a connection is live.
public protocol OnConnecting: Sendable {
  /// Beside message processing; ends with the connection.
  nonisolated(nonsending) func onConnect(_ connection: Connection) async throws
}

/// Something to do when a connection ends.
public protocol OnDisconnecting: Sendable {
  /// Exactly once for every registered connection, under `onDisconnectTimeout`.
  nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async
}

/// Something to do before the node closes its connections.
public protocol OnShuttingDown: Sendable {
  /// Once, under `onShutdownTimeout`; connections are still live.
  nonisolated(nonsending) func onShutdown() async
}

/// Any mix of those protocols as the engine's hooks.
public final class SwiftHooks: NodeHooks {
  private let logic: any Sendable
  private unowned let node: LocalNode
  private let scheduler: any Scheduler
  private var tasks: [ConnectionID: [Task<Void, Never>]] = [:]
  public let declared: HookSet
  private let processing: (any MessageProcessing)?

  /// `logic` conforms to any of the protocols of this module; what it does not conform to costs nothing.
  public init(_ logic: any Sendable, node: LocalNode) {
    self.logic = logic
    self.node = node
    scheduler = node.scheduler
    processing = logic as? any MessageProcessing
    var declared: HookSet = []
    if logic is any Handshaking { declared.insert(.handshake) }
    if logic is any MessageProcessing { declared.insert(.messages) }
    if logic is any Conversing { declared.insert(.session) }
    if logic is any OnConnecting { declared.insert(.onConnect) }
    if logic is any OnDisconnecting { declared.insert(.onDisconnect) }
    if logic is any OnShuttingDown { declared.insert(.onShutdown) }
    self.declared = declared
  }

  public func start(_ node: LocalNode, completion: @escaping (Result<Void, NodeError>) -> Void) {
    completion(.success(()))
  }

  public func handshake(_ connection: Connection, completion: @escaping (Result<Void, NodeError>) -> Void) {
    guard let logic = logic as? any Handshaking else { return completion(.success(())) }
    let bound = LoopBound(connection)
    let done = LoopBound(completion)
    run(connection) { _ in
      do {
        bound.value.peer = try await logic.handshake(bound.value)
        done.value(.success(()))
      } catch {
        done.value(.failure(error as? NodeError ?? NodeError(code: .handshake, message: "\(error)", cause: error)))
      }
    }
  }

  public func framing(for connection: Connection) throws(NodeError) -> Framing {
    do {
      return try (logic as? any Framed)?.framing(for: connection) ?? .bytes
    } catch {
      throw error as? NodeError ?? NodeError(code: .handshake, message: "\(error)", cause: error)
    }
  }

  public func connected(_ connection: Connection) {
    let bound = LoopBound(connection)
    if let logic = logic as? any OnConnecting {
      run(connection) { _ in
        do { try await logic.onConnect(bound.value) } catch {
          bound.value.disconnect(DisconnectReason(.script, message: "\(error)"))
        }
      }
    }
    if let logic = logic as? any Conversing {
      run(connection) { _ in
        do {
          try await logic.session(bound.value)
          bound.value.disconnect(DisconnectReason(.sessionEnded))
        } catch {
          bound.value.disconnect(DisconnectReason(.script, message: "\(error)"))
        }
      }
    }
  }

  public func receive(_ connection: Connection) {
    guard let processing else { return }
    let inbound = connection.inbound
    var turn = MessageTurn(scheduler)
    do {
      while connection.isOpen, !connection.isReadingPaused, !connection.isHoldingMessages {
        guard turn.hasNext() else {
          connection.fallBehind()
          return scheduler.giveWay { connection.catchUp() }
        }
        switch inbound.nextMessage() {
        case .message(let bytes): try processing.process(bytes, from: connection)
        case .needMore: return
        case .invalid(let why): return connection.failDecoding(why)
        }
      }
    } catch {
      connection.disconnect(DisconnectReason(.script, message: "\(error)"))
    }
  }

  /// Nothing is dropped: hooks in Swift have no framing of their own; the read buffer's bound holds.
  public func drain(_ connection: Connection, keeping limit: Int) -> Int { 0 }

  public func disconnected(
    _ connection: Connection, reason: DisconnectReason, completion: @escaping () -> Void
  ) {
    for task in tasks.removeValue(forKey: connection.id) ?? [] { task.cancel() }
    guard let logic = logic as? any OnDisconnecting else { return completion() }
    let bound = LoopBound(connection)
    let done = LoopBound(completion)
    run(connection) { _ in
      await logic.onDisconnect(bound.value, reason)
      done.value()
    }
  }

  public func cancel(_ hook: HookName, _ connection: Connection?, because error: NodeError) {
    guard let connection else { return }
    for task in tasks.removeValue(forKey: connection.id) ?? [] { task.cancel() }
  }

  public func forgotten(_ connection: Connection) {
    for task in tasks.removeValue(forKey: connection.id) ?? [] { task.cancel() }
  }

  public func shutDown(completion: @escaping () -> Void) {
    guard let logic = logic as? any OnShuttingDown & Sendable, let actor = node.actor else { return completion() }
    let done = LoopBound(completion)
    scheduler.startTask {
      await actor.perform { _ in
        await logic.onShutdown()
        done.value()
      }
    }
  }

  public func stopped() {}

  /// Starts a task on the node's actor that is cancelled when the connection ends.
  private func run(_ connection: Connection, _ body: @escaping @Sendable (isolated Node) async -> Void) {
    guard let actor = node.actor else { return }
    let task = scheduler.startTask { await actor.perform(body) }
    tasks[connection.id, default: []].append(task)
  }
}
