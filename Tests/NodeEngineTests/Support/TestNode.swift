import Logging
import Synchronization

@testable import NodeCore
@testable import NodeEngine

/// A node, what it is made of, and its logic.
struct TestNode<Logic: Sendable>: Sendable {
  let node: Node
  let local: LoopBound<LocalNode>
  let logic: Logic

  init(
    _ logic: Logic, logger: Logger? = nil, in environment: NodeEnvironment? = nil,
    _ change: (inout NodeConfiguration) -> Void = { _ in }
  ) throws(NodeError) {
    var configuration = NodeConfiguration()
    // The tests are all of one address; those of the limit set it themselves.
    configuration.maxConnectionsPerIP = 1000
    change(&configuration)
    var quiet = Logger(label: "test")
    quiet.logLevel = .critical
    let made = Mutex<LoopBound<LocalNode>?>(nil)
    node = try Node(
      configuration: configuration, environment: environment ?? Backend.current.environment(logger: logger ?? quiet)
    ) { local in
      made.withLock { $0 = LoopBound(local) }
      return SwiftHooks(logic, node: local)
    }
    local = made.withLock { $0! }
    self.logic = logic
  }

  /// Looks at the node on its loop.
  func look<T: Sendable>(_ body: @Sendable (LocalNode) -> T) async -> T { await node.look(local, body) }

  var address: PeerAddress { get async { await node.address! } }
  var connected: Int { get async { await node.counts.connected } }
  var connecting: Int { get async { await node.counts.connecting } }

  @discardableResult
  func dial(_ other: TestNode<some Sendable>) async throws(NodeError) -> ConnectionInfo {
    try await node.connect(to: await other.address)
  }

  /// What does not add up between registered connections, reservations and the counts per address; nil: all is well.
  func inconsistency() async -> String? {
    await node.inconsistency()
  }
}

extension Node {
  func look<T: Sendable>(_ local: LoopBound<LocalNode>, _ body: @Sendable (LocalNode) -> T) -> T { body(local.value) }
}

/// Runs the body with a started node, which is shut down and checked afterwards.
func withNode<Logic: Sendable, T>(
  _ logic: Logic, logger: Logger? = nil, in environment: NodeEnvironment? = nil,
  _ change: (inout NodeConfiguration) -> Void = { _ in },
  _ body: (TestNode<Logic>) async throws -> T
) async throws -> T {
  let node = try TestNode(logic, logger: logger, in: environment, change)
  do {
    try await node.node.start()
    let result = try await body(node)
    if let problem = await node.inconsistency() { throw Inconsistent(problem: problem) }
    await node.node.shutDown()
    let left = await node.look { ($0.admission.total, $0.live.count, $0.settingUp.count) }
    if left != (0, 0, 0) { throw Inconsistent(problem: "left after shutdown: \(left)") }
    return result
  } catch {
    await node.node.shutDown()
    throw error
  }
}

struct Inconsistent: Error, CustomStringConvertible {
  let problem: String
  var description: String { problem }
}

/// The error a body ends with, or nil.
func failure(_ body: () async throws(NodeError) -> Void) async -> NodeError? {
  do throws(NodeError) {
    try await body()
    return nil
  } catch {
    return error
  }
}
