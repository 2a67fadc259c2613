import NodeCore
import NodeEngine

/// New code for many nodes that run the same script: one after the other, a few of them first, no further than the first
/// that fails.
public struct RollingReload: Sendable {
  /// The share of the nodes that go first and are watched to the end of their probation, 0 to 1; of 0, none is waited for.
  public var canary: Double

  public init(canary: Double = 0) {
    self.canary = canary
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
    var outcome = Outcome()
    let first = canaries(of: nodes.count)
    var rolledBack: [String: UInt64] = [:]
    for node in nodes { rolledBack[node.name] = await node.node.heuristics().rolledBack }
    for (index, node) in nodes.enumerated() {
      if outcome.problem == nil, index == first { await watch(nodes[..<first], &outcome) }
      if outcome.problem == nil { await lookBack(nodes[..<index], rolledBack, &outcome) }
      guard outcome.problem == nil else {
        outcome.untouched.append(node.name)
        continue
      }
      do throws(ScriptError) {
        try await node.reload(source)
        outcome.reloaded.append(node.name)
      } catch {
        // One that has stopped by itself is nobody's concern any more.
        if error.kind != "shutdown" { outcome.problem = "\(node.name): \(error)" }
      }
    }
    if outcome.problem == nil, first == nodes.count { await watch(nodes[...], &outcome) }
    return outcome
  }

  /// To the end of their probation.
  private func watch(_ nodes: ArraySlice<ScriptedNode>, _ outcome: inout Outcome) async {
    for node in nodes {
      if case .rolledBack(let why) = await node.probation() { stop(node, why, &outcome) }
    }
  }

  /// Whether one of those that are not waited for has been rolled back meanwhile.
  private func lookBack(_ nodes: ArraySlice<ScriptedNode>, _ before: [String: UInt64], _ outcome: inout Outcome) async {
    for node in nodes where await node.node.heuristics().rolledBack != before[node.name] {
      stop(node, "it failed soon after", &outcome)
    }
  }

  private func stop(_ node: ScriptedNode, _ why: String, _ outcome: inout Outcome) {
    outcome.reloaded.removeAll { $0 == node.name }
    if outcome.problem == nil { outcome.problem = "\(node.name) was rolled back: \(why)" }
  }
}
