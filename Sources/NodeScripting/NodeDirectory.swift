import Synchronization

/// The scripted nodes of one process by name, so that one script can call another.
public final class NodeDirectory: Sendable {
  private let nodes = Mutex<[String: ScriptedNode]>([:])

  /// Without nodes.
  public init() {}

  /// Makes a node known under its name; false when the name is taken.
  @discardableResult
  package func insert(_ node: ScriptedNode) -> Bool {
    nodes.withLock { nodes in
      guard nodes[node.name] == nil else { return false }
      nodes[node.name] = node
      return true
    }
  }

  package func remove(_ node: ScriptedNode) {
    nodes.withLock { nodes in
      if nodes[node.name] === node { nodes[node.name] = nil }
    }
  }

  /// The running node of that name, or nil.
  public func node(named name: String) -> ScriptedNode? {
    nodes.withLock { $0[name] }
  }

  /// The names in alphabetical order.
  public var names: [String] {
    nodes.withLock { $0.keys.sorted() }
  }
}
