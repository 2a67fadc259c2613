import Logging
package import NodeCore
package import NodeEngine

/// A node's code through all its reloads, as the engine's hooks: new connections go to the current generation, and each
/// connection's hooks to the generation that has it.
package final class Generations: NodeHooks {
  /// The code in force.
  private(set) var current: ScriptHooks
  /// Reads are looked at: messages are held back or counted.
  @exclusivity(unchecked) private var isWatching = false
  /// Code that was replaced and has connections left, or that may come back.
  private(set) var replaced: [ScriptHooks] = []
  unowned let node: LocalNode
  let environment: NodeEnvironment
  /// As the node was loaded with: arguments and settings hold for every generation.
  let options: ScriptOptions
  /// What the first code asked the node to be called.
  let startedName: String?
  /// Called once, when the node is gone, whoever ended it.
  var onStopped: (() -> Void)?
  /// Called whenever other code is in force.
  var onChange: ((ScriptHooks) -> Void)?
  /// For tests: called before each step of a reload; what it throws fails the step.
  var onStep: ((ReloadStep) throws(ScriptError) -> Void)?
  /// For tests: called with code that is to take over, before anything has moved.
  var onStaged: ((ScriptHooks) -> Void)?

  var lastNumber = 1
  /// The files that the last reload read, taken or not.
  var attempted: [String] = []
  var lastTrace: Int64 = 0
  var change: (any CodeChange)?
  var waitingChanges: [any CodeChange] = []
  /// What came of the last reload's probation.
  var lastOutcome = ProbationOutcome.passed
  var probation: Probation? { didSet { updateWatching() } }

  init(_ first: ScriptHooks, options: ScriptOptions, environment: NodeEnvironment) {
    current = first
    self.options = options
    self.environment = environment
    node = first.node
    startedName = first.script.declaration.nodeName
    watchEnds(of: first)
  }

  deinit {
    for hooks in all { hooks.generations = nil }
  }

  var scheduler: any Scheduler { node.scheduler }

  /// All there are, the current one last.
  var all: [ScriptHooks] { replaced + [current] }

  private func owner(of connection: Connection) -> ScriptHooks { ConnectionScript.of(connection)?.hooks ?? current }

  func updateWatching() { isWatching = probation != nil || current.isHolding }

  private func watchEnds(of hooks: ScriptHooks) {
    hooks.generations = self
  }

  /// The swap: from here on `next` is in force.
  func swap(to next: ScriptHooks) {
    let old = current
    old.isReplaced = true
    old.isHolding = false
    replaced.append(old)
    replaced.removeAll { $0 === next }
    next.isStaged = false
    next.isReplaced = false
    current = next
    watchEnds(of: next)
    updateWatching()
    node.generation = next.number
    node.reconfigure(next.script.configuration)
    onChange?(next)
  }

  /// Lets go of code that nobody needs any more.
  func retireIfDone(_ hooks: ScriptHooks) {
    guard hooks.isReplaced, probation?.old !== hooks, replaced.contains(where: { $0 === hooks }) else { return }
    let left = node.everyConnection.filter { hooks.side(of: $0) != nil }
    guard left.allSatisfy(\.isStream) else { return }
    guard left.isEmpty else {
      // Whoever opened them has ended.
      for stream in left { stream.disconnect(DisconnectReason(.local, message: "the code that opened it was replaced")) }
      return
    }
    replaced.removeAll { $0 === hooks }
    hooks.generations = nil
    // Its own code may be on the stack.
    scheduler.defer { hooks.stopped() }
  }

  // The engine's calls

  package var declared: HookSet { current.declared }

  package func start(_ node: LocalNode, completion: @escaping (Result<Void, NodeError>) -> Void) {
    current.start(node, completion: completion)
  }

  package func handshake(_ connection: Connection, completion: @escaping (Result<Void, NodeError>) -> Void) {
    owner(of: connection).handshake(connection) { [self] result in
      // A set-up that began under code that has been replaced meanwhile ends under it, and the connection goes on here.
      if case .success = result { catchUp(connection) }
      completion(result)
    }
  }

  package func framing(for connection: Connection) throws(NodeError) -> Framing {
    let owner = owner(of: connection)
    connection.dispatchesMessages = owner.declared.handsOutMessages
    return try owner.framing(for: connection)
  }

  package func connected(_ connection: Connection) {
    probation?.noteHooks(1)
    owner(of: connection).connected(connection)
  }

  package func receive(_ connection: Connection) {
    guard let side = ConnectionScript.of(connection) else { return }
    guard !isWatching else { return receiveWatched(side) }
    side.hooks.receive(side)
  }

  private func receiveWatched(_ side: ConnectionScript) {
    guard !side.hooks.isHolding else { return side.connection.holdMessages() }
    let before = side.connection.statistics.messagesReceived
    side.hooks.receive(side)
    guard side.hooks === current else { return }
    probation?.noteHooks(Int(side.connection.statistics.messagesReceived - before))
  }

  package func drain(_ connection: Connection, keeping limit: Int) -> Int {
    owner(of: connection).drain(connection, keeping: limit)
  }

  package func disconnected(_ connection: Connection, reason: DisconnectReason, completion: @escaping () -> Void) {
    probation?.noteEnd(of: connection, reason)
    owner(of: connection).disconnected(connection, reason: reason, completion: completion)
  }

  package func cancel(_ hook: HookName, _ connection: Connection?, because error: NodeError) {
    (connection.map { owner(of: $0) } ?? current).cancel(hook, connection, because: error)
  }

  package func forgotten(_ connection: Connection) {
    probation?.forget(connection)
    owner(of: connection).forgotten(connection)
  }

  package func shutdownBegins() {
    for hooks in all { hooks.runtime.shutdownBegins() }
  }

  package func shutDown(completion: @escaping () -> Void) { current.shutDown(completion: completion) }

  package func addFootprint(of connection: Connection, to footprint: inout Footprint) {
    footprint.add(self, lines: 1)
    ConnectionScript.of(connection).map { $0.hooks.addFootprint(of: $0, to: &footprint) }
  }

  package func stopped() {
    endChanges()
    for hooks in all {
      hooks.generations = nil
      hooks.stopped()
    }
    replaced = []
    onStopped?()
    onStopped = nil
    onChange = nil
  }
}
