public import NodeCore
import NodeEngine
public import NodeScripting
import Synchronization

/// The metrics of running nodes, pulled when they are asked for: a snapshot is taken on each node's loop, and nothing is
/// added to a message.
public struct NodeMetrics: Sendable {
  private let nodes: @Sendable () -> [ScriptedNode]
  private let patience: Duration

  /// - Parameters:
  ///   - patience: how long a node may take to answer. One whose script keeps its loop busy for longer is left out.
  ///   - nodes: asked for anew each time.
  public init(patience: Duration = .seconds(2), nodes: @escaping @Sendable () -> [ScriptedNode]) {
    self.patience = patience
    self.nodes = nodes
  }

  /// All metrics of all nodes, a sample per node with its name as label `node`; first Moonpeer's own, then the scripts'.
  ///
  /// Scripts that give one name two kinds cannot both be shown: the node that comes first has it.
  public func families() async -> [MetricFamily] {
    let asked = nodes()
    let snapshots = await Self.snapshots(of: asked, within: patience)
    var families = Families()
    for metric in MetricCatalogue.all { families.add(MetricFamily(name: metric.name, kind: metric.kind, help: metric.help)) }
    for snapshot in snapshots {
      let label = MetricFamily.Label(MetricRules.nodeLabel, snapshot.node.name)
      for metric in MetricCatalogue.all { families.add(metric.family(snapshot).labelled(label)) }
    }
    families.add(Self.process("nodes", "Nodes of the process that answered.", snapshots.count))
    families.add(
      Self.process("nodes_silent", "Nodes that were too busy to answer, and are left out here.", asked.count - snapshots.count))
    for snapshot in snapshots {
      let label = MetricFamily.Label(MetricRules.nodeLabel, snapshot.node.name)
      for family in snapshot.node.own { families.add(family.labelled(label)) }
    }
    families.add(
      Self.process("script_metrics_hidden", "Metrics of scripts that another script has with another kind.", families.conflicts))
    return families.list
  }

  /// What the process has beside its nodes' metrics.
  static let processNames = ["nodes", "nodes_silent", "script_metrics_hidden"].map { MetricRules.ownPrefix + $0 }

  private static func process(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
    MetricFamily(
      name: MetricRules.ownPrefix + name, kind: .gauge, help: help, samples: [.init([], .number(Double(value)))])
  }

  /// In the order of the nodes.
  private static func snapshots(of nodes: [ScriptedNode], within patience: Duration) async -> [ScriptedNodeSnapshot] {
    let collection = SnapshotCollection(count: nodes.count)
    let deadline = Task {
      try await Task.sleep(for: patience)
      collection.end()
    }
    defer { deadline.cancel() }
    return await withCheckedContinuation { continuation in
      collection.begin { continuation.resume(returning: $0) }
      for (index, node) in nodes.enumerated() {
        node.withSnapshot { collection.put($0, at: index) }
      }
    }
  }
}

/// Families by name, in the order they came.
struct Families {
  private(set) var list: [MetricFamily] = []
  private(set) var conflicts = 0
  private var places: [String: Int] = [:]

  mutating func add(_ family: MetricFamily) {
    guard let place = places[family.name] else {
      places[family.name] = list.count
      list.append(family)
      return
    }
    guard list[place].kind == family.kind else {
      conflicts += 1
      return
    }
    list[place].samples += family.samples
  }
}

/// Gathers the answers of all nodes, or of those that answered in time.
private final class SnapshotCollection: Sendable {
  private struct State {
    var answers: [ScriptedNodeSnapshot?]
    var missing: Int
    var completion: (@Sendable ([ScriptedNodeSnapshot]) -> Void)?
  }
  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(answers: Array(repeating: nil, count: count), missing: count))
  }

  func begin(_ completion: @escaping @Sendable ([ScriptedNodeSnapshot]) -> Void) {
    let isEmpty = state.withLock { state in
      state.completion = completion
      return state.missing == 0
    }
    if isEmpty { end() }
  }

  func put(_ answer: ScriptedNodeSnapshot, at index: Int) {
    let isComplete = state.withLock { state in
      state.answers[index] = answer
      state.missing -= 1
      return state.missing == 0
    }
    if isComplete { end() }
  }

  func end() {
    let (completion, answers) = state.withLock { state in
      defer { state.completion = nil }
      return (state.completion, state.answers.compactMap { $0 })
    }
    completion?(answers)
  }
}
