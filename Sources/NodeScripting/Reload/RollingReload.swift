import NodeCore
import NodeEngine

/// New code for many nodes that run the same script: one after the other, a few of them first, no further than the first
/// that fails.
public struct RollingReload: Sendable {
  /// The share of the nodes that go first and are watched to the end of their probation, 0 to 1; of 0, none is waited for.
  public var canary: Double

  /// Whose probation is waited for.
  public var watched: Watched

  public enum Watched: Sendable {
    /// That of the nodes that go first, before the others go.
    case canaries
    /// And in the end that of all.
    case all
  }

  public init(canary: Double = 0, watched: Watched = .canaries) {
    self.canary = canary
    self.watched = watched
  }

  /// How far it came.
  public struct Outcome: Sendable, Equatable {
    /// The names of the nodes that run the new code.
    public var reloaded: [String] = []
    /// What stopped it, with the node's name; nil: nothing.
    public var problem: String?
    /// The names of the nodes that were not asked.
    public var untouched: [String] = []
  }

  /// How many of so many nodes go first: the share, rounded up.
  public func canaries(of count: Int) -> Int {
    canary <= 0 ? 0 : min(count, Int((Double(count) * canary).rounded(.up)))
  }

  /// Reloads the nodes in their order.
  ///
  /// - Parameter source: the new code; nil: each node's own file, as it is now.
  public func run(_ nodes: [ScriptedNode], _ source: ScriptSource? = nil) async -> Outcome {
    await run(nodes.map { LocalRollingNode(node: $0, source: source) }, first: canaries(of: nodes.count))
  }

  /// The same for nodes wherever they are.
  ///
  /// - Parameter first: so many of them are the canaries.
  package func run(_ nodes: [some RollingNode], first: Int) async -> Outcome {
    var outcome = Outcome()
    var rollbacks: [UInt64] = []
    for node in nodes { rollbacks.append(await node.rollbacks()) }
    // Those whose probation is over.
    var known = 0
    for (index, node) in nodes.enumerated() {
      if outcome.problem == nil, index == first {
        await watch(nodes[..<first], &outcome)
        known = first
      }
      if outcome.problem == nil { await lookBack(nodes[..<index], rollbacks, &outcome) }
      guard outcome.problem == nil else {
        outcome.untouched.append(node.name)
        continue
      }
      switch await node.renew() {
      case .done: outcome.reloaded.append(node.name)
      case .failed(let why): outcome.problem = "\(node.name): \(why)"
      // Nobody's concern any more.
      case .stopped: break
      }
    }
    if outcome.problem == nil, first == nodes.count || watched == .all { await watch(nodes[known...], &outcome) }
    return outcome
  }

  /// To the end of their probation.
  private func watch(_ nodes: ArraySlice<some RollingNode>, _ outcome: inout Outcome) async {
    for node in nodes {
      switch await node.probation() {
      case .rolledBack(let why): stop(node.name, why, &outcome)
      case .kept(let why): if outcome.problem == nil { outcome.problem = "\(node.name) failed and stays as it is: \(why)" }
      case .passed, .stopped: break
      }
    }
  }

  /// Whether one of those that are not waited for has been rolled back meanwhile.
  private func lookBack(_ nodes: ArraySlice<some RollingNode>, _ before: [UInt64], _ outcome: inout Outcome) async {
    for (index, node) in nodes.enumerated() where await node.rollbacks() != before[index] {
      stop(node.name, "it failed soon after", &outcome)
    }
  }

  private func stop(_ name: String, _ why: String, _ outcome: inout Outcome) {
    if let index = outcome.reloaded.firstIndex(of: name) { outcome.reloaded.remove(at: index) }
    if outcome.problem == nil { outcome.problem = "\(name) was rolled back: \(why)" }
  }
}

/// A node that a rolling reload comes to: one of this process, or one that is reached from outside.
package protocol RollingNode {
  var name: String { get }
  /// How often it has gone back to the code before.
  func rollbacks() async -> UInt64
  /// Gives it the new code.
  func renew() async -> RollingStep
  /// What came of that, once it is known.
  func probation() async -> ProbationOutcome
}

/// What came of giving one node the new code.
package enum RollingStep {
  case done
  case failed(String)
  /// It has stopped by itself.
  case stopped
}

private struct LocalRollingNode: RollingNode {
  let node: ScriptedNode
  let source: ScriptSource?

  var name: String { node.name }
  func rollbacks() async -> UInt64 { await node.node.heuristics().rolledBack }
  func probation() async -> ProbationOutcome { await node.probation() }

  func renew() async -> RollingStep {
    do throws(ScriptError) {
      try await node.reload(source)
      return .done
    } catch {
      return error.kind == "shutdown" ? .stopped : .failed("\(error)")
    }
  }
}
