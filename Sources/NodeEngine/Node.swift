public import NodeCore
public import ServiceLifecycle
import Synchronization

/// What is known of a live connection, as a value.
public struct ConnectionInfo: Sendable, Hashable {
  /// Its number at this node.
  public let id: ConnectionID
  /// The peer's address.
  public let address: PeerAddress
  /// This side's address.
  public let localAddress: PeerAddress
  /// Which end this node is.
  public let side: ConnectionSide
  /// Who the peer is, as the handshake found out; nil: it did not say.
  public let peer: String?
}

/// A node from outside: everything is `async`, and runs on the node's loop, which is this actor's executor.
public actor Node: Service {
  /// The configured name, or `node-` and the node's number.
  public nonisolated let name: String
  /// A number of its own within the process, from 1.
  public nonisolated let id: UInt64
  package nonisolated let scheduler: any Scheduler
  let local: LocalNode

  public nonisolated var unownedExecutor: UnownedSerialExecutor { scheduler.executor.asUnownedSerialExecutor() }

  private static let lastID = Mutex<UInt64>(0)

  /// A node that does not listen yet: see ``start()``.
  ///
  /// - Parameter hooks: makes the node's logic; called once, before anything else.
  /// - Throws: code `configuration` for a value that makes no sense, with the key's name; or what `hooks` throws.
  public init(
    configuration: NodeConfiguration, environment: NodeEnvironment,
    hooks: @Sendable (LocalNode) throws -> any NodeHooks
  ) throws(NodeError) {
    let valid: NodeConfiguration
    do {
      valid = try configuration.validated()
    } catch {
      throw NodeError(code: .configuration, message: error.message, cause: error)
    }
    let id = Self.lastID.withLock { last in
      last += 1
      return last
    }
    let name = valid.name ?? "node-\(id)"
    let local = try LocalNode(name: name, id: id, configuration: valid, environment: environment)
    do {
      local.hooks = try hooks(local)
    } catch let error as NodeError {
      throw error
    } catch {
      throw NodeError(code: .script, message: "\(error)", cause: error)
    }
    self.id = id
    self.name = name
    scheduler = environment.scheduler
    self.local = local
    // Nothing else can reach `local` yet; from here on it is only touched on the loop.
    bound = LoopBound(local)
    bound.value.actor = self
  }

  nonisolated let bound: LoopBound<LocalNode>

  func perform(_ body: @Sendable (isolated Node) async -> Void) async { await body(self) }

  /// Runs the hooks' start, then listens. Once in a node's life.
  ///
  /// - Throws: code `script` or `budget` where the hooks' start failed, `address_in_use`, `address` or `system` where it
  ///   cannot listen, `configuration` where it was started before, `shutdown` where it was shut down meanwhile.
  public func start() async throws(NodeError) {
    try await answer { local.start(completion: $0) }
  }

  /// Where the node listens, as bound; nil where it does not.
  public var address: PeerAddress? { local.address }
  /// Everywhere the node listens, as bound; empty where it does not.
  public var addresses: [PeerAddress] { local.addresses }

  /// Listens there too and gives the address as bound; port 0: any free one.
  ///
  /// - Throws: code `address_in_use`, `address`, `shutdown` or `system`.
  public func listen(on address: PeerAddress) async throws(NodeError) -> PeerAddress {
    try await answer { local.listen(on: address, completion: $0) }
  }

  /// Closes all listeners; established connections stay.
  public func stopListening() async {
    await withCheckedContinuation { continuation in
      local.stopListening { continuation.resume() }
    }
  }

  /// Dials: a live connection after its handshake. A cancelled task ends the dial.
  ///
  /// - Throws: code `refused`, `timeout`, `resolve`, `limit`, `duplicate`, `self`, `handshake`, `closed`, `shutdown`,
  ///   `cancelled`, `address` or `system`.
  public func connect(to address: PeerAddress, options: DialOptions = DialOptions()) async throws(NodeError) -> ConnectionInfo {
    let cancellation = Mutex<(@Sendable () -> Void)?>(nil)
    let scheduler = scheduler
    do {
      return try await withTaskCancellationHandler {
        try await answer { (done: @escaping (Result<ConnectionInfo, NodeError>) -> Void) in
          let token = LoopBound(local.connect(to: address, options: options) { done($0.map(\.info)) })
          cancellation.withLock { $0 = { scheduler.execute { token.value.cancel() } } }
          if Task.isCancelled { token.value.cancel() }
        }
      } onCancel: {
        cancellation.withLock { $0 }?()
      }
    } catch {
      throw error as! NodeError
    }
  }

  /// Ends a connection and waits for its `on_disconnect`; false when there was none.
  @discardableResult
  public func disconnect(_ id: ConnectionID) async -> Bool {
    guard let connection = local.connection(id: id) else { return false }
    return await withCheckedContinuation { continuation in
      local.disconnect(connection, reason: DisconnectReason(.local)) { continuation.resume(returning: $0) }
    }
  }

  /// As by its number: ends the connection with that peer, if there is one.
  @discardableResult
  public func disconnect(_ address: PeerAddress) async -> Bool {
    guard let connection = local.connection(at: address) else { return false }
    return await disconnect(connection.id)
  }

  /// Queues a message; waits while the queue is over its high-water mark.
  ///
  /// - Throws: code `closed` where there is no such live connection, `too_large` where the framing refuses the message.
  public func send(_ message: [UInt8], to id: ConnectionID) async throws(NodeError) {
    guard let connection = local.connection(id: id) else {
      throw NodeError(code: .closed, message: "there is no connection \(id)")
    }
    try await connection.send(message)
  }

  /// Queues a message for every live connection that has room (8 × `outbound_high_water`), without waiting; how many
  /// that were.
  @discardableResult
  public func broadcast(_ message: [UInt8], except: ConnectionID? = nil) -> Int {
    var count = 0
    for connection in local.connections where connection.id != except {
      if message.withUnsafeBytes({ connection.trySend($0) }) == .queued { count += 1 }
    }
    return count
  }

  /// The live connections in the order they came up.
  public func connections() -> [ConnectionInfo] { local.connections.map(\.info) }
  /// How many connections are live, and how many are being set up in either direction.
  public var counts: (connected: Int, connecting: Int) { local.counts }
  /// Traffic in all the life of the node, closed connections included.
  public func statistics() -> TrafficStatistics { local.statistics }
  /// Traffic of a live connection; nil where there is none of that number.
  public func statistics(of id: ConnectionID) -> TrafficStatistics? { local.connection(id: id)?.statistics }
  /// What the node noticed: counters that only grow.
  public func heuristics() -> Heuristics { local.heuristics }

  /// In order: no new work, `on_shutdown`, every connection, the port. Twice is harmless.
  public func shutDown() async {
    await withCheckedContinuation { continuation in
      local.shutDown { continuation.resume() }
    }
  }

  /// Waits for a shutdown that somebody else asks for: a hook, a script, another task.
  public func waitUntilStopped() async {
    await withCheckedContinuation { continuation in
      local.whenStopped { continuation.resume() }
    }
  }

  /// Cuts everything at once, without hooks, as a crash would.
  package func crash() async {
    await withCheckedContinuation { continuation in
      local.crash { continuation.resume() }
    }
  }

  /// As a `Service`: starts, waits for a graceful shutdown, shuts down.
  ///
  /// - Throws: as ``start()``.
  public func run() async throws {
    try await start()
    try? await gracefulShutdown()
    await shutDown()
  }

  private func answer<T: Sendable>(
    _ ask: (@escaping (Result<T, NodeError>) -> Void) -> Void
  ) async throws(NodeError) -> T {
    let result: Result<T, NodeError> = await withCheckedContinuation { continuation in
      ask { continuation.resume(returning: $0) }
    }
    return try result.get()
  }
}

extension Connection {
  /// What is known of it, as a value.
  public var info: ConnectionInfo {
    ConnectionInfo(id: id, address: address, localAddress: localAddress, side: side, peer: peer)
  }
}
