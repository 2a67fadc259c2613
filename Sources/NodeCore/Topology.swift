/// Who is connected to whom in a network of n nodes.
public enum Topology: Sendable, Equatable {
  case line
  case ring
  case mesh
  /// The first node is the hub.
  case star
  case grid(width: Int, height: Int)
  case tree(branching: Int)
  /// Connected and simple, every node with `degree` neighbours.
  case random(degree: Int, seed: UInt64)

  /// What `network.…` and messages call them.
  public static let names = ["line", "ring", "mesh", "star", "grid", "tree", "random"]

  /// How many connections stand when it is formed.
  public func expectedConnections(_ count: Int) throws(NodeCoreError) -> Int {
    try edges(count).count
  }

  /// The connections, each as (who dials, who accepts), by index from 0.
  ///
  /// - Throws: code `topology` where `count` nodes cannot form it.
  public func edges(_ count: Int) throws(NodeCoreError) -> [(Int, Int)] {
    switch self {
    case .line:
      try need(2, of: count, "a line")
      return (1..<count).map { ($0 - 1, $0) }
    case .ring:
      try need(3, of: count, "a ring")
      return (0..<count).map { ($0, ($0 + 1) % count) }
    case .mesh:
      try need(2, of: count, "a mesh")
      return (0..<count).flatMap { i in ((i + 1)..<max(i + 1, count)).map { (i, $0) } }
    case .star:
      try need(2, of: count, "a star")
      return (1..<count).map { ($0, 0) }
    case .grid(let width, let height): return try grid(width, height, count)
    case .tree(let branching):
      try need(2, of: count, "a tree")
      guard branching >= 1 else { throw refused("a tree's branching must be at least 1, got \(branching)") }
      return (1..<count).map { ($0, ($0 - 1) / branching) }
    case .random(let degree, let seed): return try random(degree, seed, count)
    }
  }

  private func refused(_ message: String) -> NodeCoreError { NodeCoreError(code: .topology, message: message) }

  private func need(_ least: Int, of count: Int, _ name: String) throws(NodeCoreError) {
    guard count >= least else { throw refused("\(name) needs at least \(least) nodes, got \(count)") }
  }

  private func grid(_ width: Int, _ height: Int, _ count: Int) throws(NodeCoreError) -> [(Int, Int)] {
    guard width >= 1, height >= 1 else {
      throw refused("a grid's width and height must be at least 1, got \(width) × \(height)")
    }
    try need(2, of: count, "a grid")
    let (product, isTooLarge) = width.multipliedReportingOverflow(by: height)
    guard !isTooLarge, product == count else {
      throw refused("a grid of \(width) × \(height) needs width × height nodes, got \(count)")
    }
    var edges: [(Int, Int)] = []
    for y in 0..<height {
      for x in 0..<width {
        let node = y * width + x
        if x + 1 < width { edges.append((node, node + 1)) }
        if y + 1 < height { edges.append((node, node + width)) }
      }
    }
    return edges
  }

  /// A shuffled ring for two neighbours. For more, a circulant graph (each node to its next ones round a ring) whose
  /// edges are swapped at random where that keeps it simple, and which is kept only if it is connected.
  private func random(_ degree: Int, _ seed: UInt64, _ count: Int) throws(NodeCoreError) -> [(Int, Int)] {
    guard degree >= 1 else { throw refused("a random network's degree must be at least 1, got \(degree)") }
    try need(2, of: count, "a random network")
    guard degree < count else {
      throw refused("a degree of \(degree) is too high for \(count) nodes: at most \(count - 1)")
    }
    guard (degree * count).isMultiple(of: 2) else {
      throw refused("a degree of \(degree) with \(count) nodes is impossible: one of the two must be even")
    }
    guard degree > 1 || count == 2 else {
      throw refused("a degree of 1 connects only pairs: a network of \(count) nodes needs at least 2")
    }
    var generator = SeededGenerator(seed: seed)
    if degree == 2 {
      let ring = Array(0..<count).shuffled(using: &generator)
      return ring.indices.map { (ring[$0], ring[($0 + 1) % count]) }
    }
    var edges: [(Int, Int)] = []
    for step in stride(from: 1, through: degree / 2, by: 1) {
      for node in 0..<count { edges.append((node, (node + step) % count)) }
    }
    if !degree.isMultiple(of: 2) {
      for node in 0..<(count / 2) { edges.append((node, node + count / 2)) }
    }
    // Hardly any such graph of three or more neighbours is in parts, so a second attempt is rare.
    for _ in 0..<16 {
      let swapped = Self.swapped(edges, using: &generator)
      if Self.isConnected(swapped, count) { return swapped }
    }
    return edges
  }

  private static func swapped(_ start: [(Int, Int)], using generator: inout SeededGenerator) -> [(Int, Int)] {
    var edges = start
    var known = Set(edges.map(key))
    for _ in 0..<(edges.count * 10) {
      let i = Int.random(in: 0..<edges.count, using: &generator)
      let j = Int.random(in: 0..<edges.count, using: &generator)
      let ((a, b), (c, d)) = (edges[i], edges[j])
      guard a != c, a != d, b != c, b != d else { continue }
      guard !known.contains(key((a, d))), !known.contains(key((c, b))) else { continue }
      known.remove(key((a, b)))
      known.remove(key((c, d)))
      edges[i] = (a, d)
      edges[j] = (c, b)
      known.insert(key((a, d)))
      known.insert(key((c, b)))
    }
    return edges
  }

  private struct Pair: Hashable { let low, high: Int }
  private static func key(_ edge: (Int, Int)) -> Pair { Pair(low: min(edge.0, edge.1), high: max(edge.0, edge.1)) }

  private static func isConnected(_ edges: [(Int, Int)], _ count: Int) -> Bool {
    var parent = Array(0..<count)
    func root(_ node: Int) -> Int {
      var node = node
      while parent[node] != node {
        parent[node] = parent[parent[node]]
        node = parent[node]
      }
      return node
    }
    var parts = count
    for (a, b) in edges where root(a) != root(b) {
      parent[root(a)] = root(b)
      parts -= 1
    }
    return parts == 1
  }
}
