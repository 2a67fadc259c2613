import Logging
import LuaHost
package import NodeCore
package import NodeEngine

/// A loaded script as the engine's hooks: one generation of a node's code. ``Generations`` stands between the two.
package final class ScriptHooks {
  let runtime: ScriptRuntime
  let script: LoadedScript
  /// The script's, where each read finds it.
  let processMessage: LuaRef?
  let directory: NodeDirectory?
  /// One for all generations: a call outlives the code that it began under.
  let calls: CallAccount
  unowned let node: LocalNode
  @exclusivity(unchecked) private(set) var nodeHandle: LuaRef
  /// 1 for the code the node was started with, and so on.
  let number: Int
  let declared: HookSet
  /// About to take the node over: it may look, and change nothing yet.
  @exclusivity(unchecked) var isStaged: Bool
  /// Other code has taken over; this one has only connections to bring to their end, or waits to be rolled back to.
  @exclusivity(unchecked) var isReplaced = false
  /// About to be replaced: no new message is handed out, so that none is handled by half.
  @exclusivity(unchecked) var isHolding = false
  /// Called with each error and budget kill that is counted.
  @exclusivity(unchecked) var onFailure: ((ScriptError) -> Void)?
  /// The connections that are its own: set up, live or ending, streams included.
  @exclusivity(unchecked) var connectionCount = 0
  /// The codec of all connections, once the first connection has it; nil where each chooses its own.
  @exclusivity(unchecked) var sharedBinding: CodecBinding?
  /// Where it is one of several. They take this away when they go: a weak reference would make each count of theirs dearer.
  @exclusivity(unchecked) unowned(unsafe) var generations: Generations?
  @exclusivity(unchecked) private var shutdownRun: ScriptTask?
  @exclusivity(unchecked) private var isStopped = false

  init(
    _ script: LoadedScript, node: LocalNode, directory: NodeDirectory?, calls: CallAccount = CallAccount(), number: Int = 1,
    isStaged: Bool = false
  ) throws(ScriptError) {
    self.script = script
    processMessage = script.processMessage
    self.node = node
    self.directory = directory
    self.calls = calls
    self.number = number
    self.isStaged = isStaged
    declared = Self.hooks(of: script)
    runtime = script.runtime
    nodeHandle = try script.makeNodeHandle(name: node.name, id: node.id)
    runtime.hooks = self
    // The node's own logger: until now its name was not known.
    runtime.logger = node.logger(ofGeneration: number)
    if let name = script.declaration.name { runtime.logger[metadataKey: "script"] = "\(name)" }
    runtime.onUnhandledError = { [unowned runtime] in runtime.hooks?.report($0) }
  }

  var glue: Glue { script.glue }

  deinit {
    runtime.hooks = nil
  }

  private static func hooks(of script: LoadedScript) -> HookSet {
    var set: HookSet = []
    if script.has("handshake") || script.codecIsChosenPerConnection { set.insert(.handshake) }
    if script.has("on_connect") { set.insert(.onConnect) }
    if script.has("on_disconnect") { set.insert(.onDisconnect) }
    if script.has("on_shutdown") { set.insert(.onShutdown) }
    if script.has("process_message") { set.insert(.messages) }
    if script.has("session") { set.insert(.session) }
    return set
  }

  /// Its side of a connection; nil where the connection is another generation's.
  func side(of connection: Connection) -> ConnectionScript? {
    ConnectionScript.of(connection).flatMap { $0.hooks === self ? $0 : nil }
  }

  /// The script's side of a connection, made when the connection is first spoken of.
  func scriptSide(of connection: Connection) throws(ScriptError) -> ConnectionScript {
    if let existing = ConnectionScript.of(connection) { return existing }
    return try ConnectionScript(connection: connection, hooks: self)
  }

  package func start(_ node: LocalNode, completion: @escaping (Result<Void, NodeError>) -> Void) {
    if runtime.isTrusted {
      runtime.logger.warning("trusted: the script has all of Lua's libraries: files, processes, all that this user can do")
    }
    let handle = nodeHandle
    let start: LuaRef?
    do throws(ScriptError) { start = try script.startFunction() } catch {
      return completion(.failure(NodeError(code: error.code == .budget ? .budget : .script, message: "\(error)", cause: error)))
    }
    guard let start else {
      forgetLoading()
      return completion(.success(()))
    }
    runtime.run(
      start, .initialise,
      arguments: { [script] pack in
        pack.ref(handle)
        pack.ref(script.arguments)
      },
      completion: { [self] _, outcome in
        runtime.vm.release(start)
        switch outcome {
        case .finished:
          forgetLoading()
          completion(.success(()))
        case .failed(let error):
          count(error)
          completion(.failure(NodeError(code: error.code == .budget ? .budget : .script, message: "\(error)", cause: error)))
        }
      })
  }

  /// Once the run under way is over too, what loading the script took is garbage, and of an idle node nothing else would ever
  /// free it.
  private func forgetLoading() {
    runtime.scheduler.defer { [runtime] in
      runtime.forgetPassingChunks()
      runtime.trim()
    }
  }

  package func handshake(_ connection: Connection, completion: @escaping (Result<Void, NodeError>) -> Void) {
    do throws(ScriptError) {
      let side = try scriptSide(of: connection)
      side.handshakeRun = side.run(glue.handshake, .handshake) { [self] task, outcome in
        side.handshakeRun = nil
        switch outcome {
        case .finished:
          connection.peer = (try? task.thread.results())?.first?.text
          completion(.success(()))
        case .failed(let error):
          // A peer that leaves or lies in the handshake is not the script's fault.
          if ["script", "usage", "load"].contains(error.kind) || error.code == .budget { report(error) }
          completion(.failure(error.asNodeError(.handshake)))
        }
      }
    } catch {
      report(error)
      completion(.failure(error.asNodeError(.handshake)))
    }
  }

  package func framing(for connection: Connection) throws(NodeError) -> Framing {
    do throws(ScriptError) {
      return try scriptSide(of: connection).framing ?? .bytes
    } catch {
      throw error.asNodeError(.script)
    }
  }

  package func connected(_ connection: Connection) {
    guard let side = ConnectionScript.of(connection) else { return }
    if let function = script.onConnect {
      let timing = node.timing(.onConnect)
      side.run(function, .onConnect) { [self] _, outcome in
        timing?()
        endConnection(side, after: outcome)
      }
    }
    guard let session = script.session, connection.isOpen else { return }
    let timing = node.timing(.session)
    side.run(session, .session) { [self] _, outcome in
      timing?()
      endConnection(side, after: outcome)
      if case .finished = outcome, connection.isOpen {
        connection.disconnect(DisconnectReason(.sessionEnded))
      }
    }
  }

  package func disconnected(
    _ connection: Connection, reason: DisconnectReason, completion: @escaping () -> Void
  ) {
    guard let side = ConnectionScript.of(connection) else { return completion() }
    if side.hasRequests { tell(glue.closed, side) }
    side.endRuns(because: .closed(side.address), sticky: false)
    guard let function = script.onDisconnect else { return completion() }
    // The script ended it: one run at a time, each with a budget of its own, so after the one that is running.
    side.startDisconnect = { [self] in runDisconnect(function, side, reason, completion) }
    guard runtime.vm.isRunning else { return side.takeStartDisconnect() }
    runtime.scheduler.defer { side.takeStartDisconnect() }
  }

  private func runDisconnect(
    _ function: LuaRef, _ side: ConnectionScript, _ reason: DisconnectReason, _ completion: @escaping () -> Void
  ) {
    side.disconnectRun = side.run(
      function, .onDisconnect,
      more: { pack in
        pack.beginTable()
        pack.field()
        pack.string("kind")
        pack.string(reason.kind.rawValue)
        if let message = reason.message {
          pack.field()
          pack.string("message")
          pack.string(message)
        }
        pack.endTable()
      },
      completion: { [self] task, outcome in
        side.disconnectRun = nil
        reportUnlessCancelled(task, outcome)
        completion()
      })
  }

  /// What ends a hook that took too long is the engine's bound, and the engine has logged it.
  private func reportUnlessCancelled(_ task: ScriptTask, _ outcome: RunOutcome) {
    if case .failed(let error) = outcome, task.cancellation == nil { report(error) }
  }

  package func cancel(_ hook: HookName, _ connection: Connection?, because error: NodeError) {
    // A loop that was busy for so long may not have come to it yet; that it starts is promised.
    if hook == .onDisconnect { connection.flatMap(ConnectionScript.of)?.takeStartDisconnect() }
    let run: ScriptTask?
    switch hook {
    case .handshake: run = connection.flatMap(ConnectionScript.of)?.handshakeRun
    case .onDisconnect: run = connection.flatMap(ConnectionScript.of)?.disconnectRun
    case .onShutdown: run = shutdownRun
    }
    guard let run else { return }
    let reason = ScriptError(code: .engine, kind: error.code.rawValue, message: error.message)
    runtime.cancel(run, with: reason, sticky: true)
  }

  package func forgotten(_ connection: Connection) {
    ConnectionScript.of(connection)?.forget()
  }

  package func shutDown(completion: @escaping () -> Void) {
    guard let function = script.onShutdown else { return completion() }
    let handle = nodeHandle
    var isOver = false
    let run = runtime.run(
      function, .onShutdown, arguments: { $0.ref(handle) },
      completion: { [self] task, outcome in
        isOver = true
        shutdownRun = nil
        reportUnlessCancelled(task, outcome)
        completion()
      })
    if !isOver { shutdownRun = run }
  }

  package func stopped() {
    guard !isStopped else { return }
    isStopped = true
    runtime.stop()
  }
}
