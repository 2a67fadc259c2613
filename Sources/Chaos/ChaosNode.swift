import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Synchronization

/// One node of a run, from its start to its shutdown, whatever its hooks are written in.
final class ChaosNode: Sendable {
  enum Logic: Sendable {
    case lua(ScriptedNode)
    case swift(SwiftLogic, LoopBound<LocalNode>)
  }
  let record: NodeRecord
  let node: Node
  let logic: Logic
  let configuration: NodeConfiguration
  let description: String
  /// Where it was first bound.
  let address: PeerAddress
  let isSession: Bool

  var key: UInt32 { record.key }
  var scripted: ScriptedNode? { if case .lua(let scripted) = logic { scripted } else { nil } }

  private init(
    _ record: NodeRecord, _ node: Node, _ logic: Logic, _ plan: NodePlan, _ address: PeerAddress
  ) {
    (self.record, self.node, self.logic, self.address) = (record, node, logic, address)
    configuration = plan.configuration
    description = "node \(record.key) (\(plan.backend), \(plan.kind))"
    isSession = plan.kind == .luaSession
  }

  /// - Throws: what kept it from starting.
  static func start(_ plan: NodePlan, key: UInt32, in world: World, _ generator: SeededGenerator) async throws -> ChaosNode {
    let isLua = plan.kind == .lua || plan.kind == .luaSession
    let record = NodeRecord(
      key: key, mayBeEarly: !isLua, drops: plan.configuration.inboundPolicy == .drop, sheet: world.sheet)
    let environment = world.backends.environment(plan.backend, ScriptLog.logger(record, world.verdict, world.newest))
    if isLua {
      world.sheet.addScript(key)
      var options = ScriptOptions()
      options.defaults = plan.configuration
      options.arguments = ["key": .integer(Int64(key))]
      let script = ChaosScript(version: 1, codec: plan.codec, isSession: plan.kind == .luaSession)
      let scripted = try await ScriptedNode.load(script.source, options: options, environment: environment)
      try await scripted.start()
      return try await finish(record, scripted.node, .lua(scripted), plan)
    }
    let logic: SwiftLogic =
      plan.kind == .swiftSession
      ? ConversingLogic(record, world.verdict, generator) : ProcessingLogic(record, world.verdict, generator)
    let made = Mutex<LoopBound<LocalNode>?>(nil)
    let node = try Node(configuration: plan.configuration, environment: environment) { local in
      made.withLock { $0 = LoopBound(local) }
      return SwiftHooks(logic, node: local)
    }
    try await node.start()
    return try await finish(record, node, .swift(logic, made.withLock { $0! }), plan)
  }

  private static func finish(_ record: NodeRecord, _ node: Node, _ logic: Logic, _ plan: NodePlan) async throws -> ChaosNode {
    // A hook may have shut it down already.
    let address = await node.address ?? plan.configuration.listen[0]
    return ChaosNode(record, node, logic, plan, address)
  }

  func onLoop(_ body: @escaping @Sendable (SwiftLogic, LocalNode, @escaping @Sendable () -> Void) -> Void) async {
    guard case .swift(let logic, let local) = logic else { return }
    await withCheckedContinuation { continuation in
      node.scheduler.execute { body(logic, local.value) { continuation.resume() } }
    }
  }
}

/// What a node is to be.
struct NodePlan: Sendable {
  enum Kind: CaseIterable { case lua, luaSession, swift, swiftSession }
  var kind: Kind
  var backend: Backends.Kind
  var codec: ChaosScript.Codec
  var configuration: NodeConfiguration

  /// Small limits and short bounds, so that each of them is met again and again.
  init(slot: Int, _ generator: inout SeededGenerator) {
    // Two in three are scripts; each backend is there all the time.
    kind = [.lua, .lua, .luaSession, .lua, .swift, .swiftSession].randomElement(using: &generator)!
    backend = Backends.Kind.allCases[slot % Backends.Kind.allCases.count]
    codec = .allCases.randomElement(using: &generator)!
    var it = NodeConfiguration()
    it.listen = [.ip(IPAddress("127.0.0.\(slot % 4 + 1)")!, port: 0)]
    if Int.random(in: 0..<3, using: &generator) == 0 { it.listen.append(.ip(.loopback, port: 0)) }
    it.maxConnections = .random(in: 6...14, using: &generator)
    it.maxConnectionsPerIP = .random(in: 3...8, using: &generator)
    if Bool.random(using: &generator) { it.maxConnectionsPerSubnet = .random(in: 5...10, using: &generator) }
    it.maxConnecting = .random(in: 2...5, using: &generator)
    it.maxListeners = .random(in: 2...16, using: &generator)
    it.handshakeTimeout = .milliseconds(.random(in: 300...1500, using: &generator))
    it.connectionTimeout = .milliseconds(1000)
    it.idleTimeout = .milliseconds([0, 500, 3000].randomElement(using: &generator)!)
    it.writeTimeout = .milliseconds(2000)
    it.onDisconnectTimeout = .milliseconds(1000)
    it.onShutdownTimeout = .milliseconds(1000)
    it.inboundQueue = .random(in: 1...16, using: &generator)
    // A conversation takes each message by itself, so nothing is held and nothing dropped.
    if Int.random(in: 0..<4, using: &generator) == 0 { it.inboundPolicy = .drop }
    it.outboundHighWater = .random(in: 2000...30_000, using: &generator)
    it.outboundLowWater = it.outboundHighWater / 4
    if backend == .epollWithIOLoops { it.ioLoops = 2 }
    it.scriptMemory = 6 << 20
    it.scriptTime = .milliseconds(60)
    it.reloadTimeout = .milliseconds(2000)
    it.probation = .milliseconds(300)
    it.probationHooks = 30
    it.probationFailures = [0, 0, 3].randomElement(using: &generator)!
    configuration = it
  }
}
