import NodeCore
import Testing

@Suite struct TopologyTests {
  /// Simple: no node with itself, no pair twice, and every index is one.
  private func pairs(_ topology: Topology, _ count: Int) throws -> Set<[Int]> {
    let edges = try topology.edges(count)
    #expect(try topology.expectedConnections(count) == edges.count)
    for (a, b) in edges { #expect(a != b && (0..<count).contains(a) && (0..<count).contains(b)) }
    let pairs = Set(edges.map { [min($0.0, $0.1), max($0.0, $0.1)] })
    #expect(pairs.count == edges.count)
    return pairs
  }

  private func reached(_ pairs: Set<[Int]>) -> Set<Int> {
    var seen: Set<Int> = [0]
    var open = [0]
    while let node = open.popLast() {
      for pair in pairs where pair.contains(node) {
        for other in pair where seen.insert(other).inserted { open.append(other) }
      }
    }
    return seen
  }

  private func refusal(_ topology: Topology, _ count: Int) -> String? {
    do {
      _ = try topology.edges(count)
      return nil
    } catch {
      #expect(error.code == .topology)
      return error.message
    }
  }

  @Test(arguments: [
    (Topology.line, 2, 1), (.line, 10, 9), (.ring, 3, 3), (.ring, 10, 10), (.mesh, 2, 1), (.mesh, 10, 45), (.star, 2, 1),
    (.star, 10, 9),
    (.grid(width: 3, height: 4), 12, 17), (.grid(width: 5, height: 1), 5, 4), (.grid(width: 1, height: 2), 2, 1),
    (.tree(branching: 2), 7, 6), (.tree(branching: 1), 5, 4), (.tree(branching: 100), 5, 4),
    (.random(degree: 1, seed: 1), 2, 1), (.random(degree: 2, seed: 1), 10, 10), (.random(degree: 3, seed: 1), 10, 15),
    (.random(degree: 4, seed: 1), 25, 50), (.random(degree: 9, seed: 1), 10, 45),
  ])
  func `It has the expected number of connections and reaches every node`(topology: Topology, nodes: Int, expected: Int) throws {
    let pairs = try pairs(topology, nodes)
    #expect(pairs.count == expected)
    #expect(reached(pairs).count == nodes)
  }

  @Test func `Who dials whom`() throws {
    #expect(try Topology.line.edges(3).map { [$0.0, $0.1] } == [[0, 1], [1, 2]])
    #expect(try Topology.ring.edges(3).map { [$0.0, $0.1] } == [[0, 1], [1, 2], [2, 0]])
    #expect(try Topology.star.edges(3).map { [$0.0, $0.1] } == [[1, 0], [2, 0]])
    #expect(try Topology.tree(branching: 2).edges(5).map { [$0.0, $0.1] } == [[1, 0], [2, 0], [3, 1], [4, 1]])
  }

  @Test(arguments: [(2, 9), (3, 10), (4, 11), (5, 12), (10, 40)])
  func `Every node of a random network has the degree, whatever the seed`(degree: Int, count: Int) throws {
    for seed in 0..<50 as Range<UInt64> {
      let pairs = try pairs(.random(degree: degree, seed: seed), count)
      for node in 0..<count { #expect(pairs.count { $0.contains(node) } == degree) }
      #expect(reached(pairs).count == count)
    }
  }

  @Test(arguments: [2, 3, 6])
  func `A seed is the network, another seed another one`(degree: Int) throws {
    let first = try pairs(.random(degree: degree, seed: 5), 30)
    #expect(try pairs(.random(degree: degree, seed: 5), 30) == first)
    let others = try (0..<20).map { try pairs(.random(degree: degree, seed: 100 + $0), 30) }
    #expect(Set(others).count == others.count)
  }

  @Test(.timeLimit(.minutes(5))) func `A thousand nodes are connected quickly`() throws {
    #expect(try Topology.random(degree: 10, seed: 3).edges(1000).count == 5000)
  }

  @Test(arguments: [
    (Topology.line, 1, "a line needs at least 2 nodes, got 1"), (.ring, 2, "a ring needs at least 3 nodes"),
    (.mesh, 0, "a mesh needs"),
    (.star, 1, "a star needs"), (.tree(branching: 2), 1, "a tree needs"),
    (.tree(branching: 0), 5, "branching must be at least 1"),
    (.grid(width: 3, height: 3), 8, "a grid of 3 × 3 needs width × height nodes, got 8"),
    (.grid(width: 0, height: 3), 3, "at least 1"),
    (.grid(width: -1, height: -3), 3, "at least 1"), (.grid(width: 1, height: 1), 1, "at least 2 nodes"),
    (.grid(width: .max, height: 3), 5, "needs width × height nodes"),
    (.random(degree: 5, seed: 1), 5, "too high for 5 nodes: at most 4"),
    (.random(degree: 3, seed: 1), 5, "one of the two must be even"), (.random(degree: 0, seed: 1), 5, "at least 1"),
    (.random(degree: 1, seed: 1), 4, "connects only pairs"), (.random(degree: 1, seed: 1), 1, "at least 2 nodes"),
    (.random(degree: .max, seed: 1), 5, "too high"), (.line, -1, "got -1"),
  ])
  func `What cannot be formed is refused with the reason`(topology: Topology, nodes: Int, why: String) {
    let message = refusal(topology, nodes)
    #expect(message?.contains(why) == true, "\(message ?? "formed")")
  }
}
