import NodeCore
import Synchronization

/// The places of a run where nodes come and go, and what is known of them all.
final class World: Sendable {
  enum Place: Sendable {
    case empty
    /// Somebody starts or ends a node there.
    case taken
    case node(ChaosNode)
  }
  private struct State {
    var places: [Place]
    var lastKey: UInt32 = 0
    var mix = Mix.all[0]
    var isOver = false
    var lastDear = ContinuousClock.now
    /// The counters of nodes that have gone.
    var heuristics = Heuristics()
    var pairs = 0
    /// Those that should be gone from memory.
    var gone: [(key: UInt32, node: Weak)] = []
    var outcomes: [String: Int] = [:]
  }
  private struct Weak { weak var node: ChaosNode? }

  let verdict: Verdict
  let watchdog: Watchdog
  let backends = Backends()
  let sheet = BalanceSheet()
  let newest = NewestLines()
  private let state: Mutex<State>

  init(places: Int, _ verdict: Verdict, _ watchdog: Watchdog) {
    self.verdict = verdict
    self.watchdog = watchdog
    state = Mutex(State(places: Array(repeating: .empty, count: places)))
    verdict.add { [newest] in newest.report(of: $0) }
  }

  var placeCount: Int { state.withLock { $0.places.count } }
  var nodes: [ChaosNode] {
    state.withLock { state in
      state.places.compactMap { if case .node(let node) = $0 { node } else { nil } }
    }
  }
  var isBusy: Bool {
    state.withLock { state in state.places.contains { if case .taken = $0 { true } else { false } } }
  }

  /// Takes an empty place; nil: there is none.
  func takeEmpty(_ generator: inout SeededGenerator) -> Int? {
    let start = Int.random(in: 0..<placeCount, using: &generator)
    return state.withLock { state in
      for offset in state.places.indices {
        let index = (start + offset) % state.places.count
        guard case .empty = state.places[index] else { continue }
        state.places[index] = .taken
        return index
      }
      return nil
    }
  }

  /// Takes a node out of its place, which stays taken.
  func takeNode(_ generator: inout SeededGenerator) -> (place: Int, node: ChaosNode)? {
    guard let node = anyNode(&generator) else { return nil }
    return take(node).map { ($0, node) }
  }

  func take(_ node: ChaosNode) -> Int? {
    state.withLock { state in
      for index in state.places.indices {
        guard case .node(let there) = state.places[index], there === node else { continue }
        state.places[index] = .taken
        return index
      }
      return nil
    }
  }

  func put(_ place: Place, at index: Int) { state.withLock { $0.places[index] = place } }

  func anyNode(_ generator: inout SeededGenerator, where fits: (ChaosNode) -> Bool = { _ in true }) -> ChaosNode? {
    nodes.filter(fits).randomElement(using: &generator)
  }

  func nextKey() -> UInt32 {
    state.withLock { state in
      state.lastKey += 1
      return state.lastKey
    }
  }

  var mix: Mix {
    get { state.withLock { $0.mix } }
    set { state.withLock { $0.mix = newValue } }
  }
  var isOver: Bool { state.withLock { $0.isOver } }
  func finish() { state.withLock { $0.isOver = true } }

  /// Messages that use up a budget come one at a time: the others are to get something done too.
  func allowsDear() -> Bool {
    state.withLock { state in
      let now = ContinuousClock.now
      guard now - state.lastDear > .milliseconds(80) else { return false }
      state.lastDear = now
      return true
    }
  }

  func note(_ outcome: String) { state.withLock { $0.outcomes[outcome, default: 0] += 1 } }
  var outcomes: [String: Int] { state.withLock { $0.outcomes } }

  func noteGone(_ node: ChaosNode, _ heuristics: Heuristics) {
    state.withLock { state in
      for counter in Heuristics.counters { state.heuristics[keyPath: counter.path] += heuristics[keyPath: counter.path] }
      state.pairs += node.record.pairs
      state.gone.removeAll { $0.node.node == nil }
      state.gone.append((node.key, Weak(node: node)))
    }
  }

  var heuristics: Heuristics { state.withLock { $0.heuristics } }
  var pairs: Int { state.withLock { $0.pairs } }
  /// Nodes that have been shut down and are still in memory.
  var undead: [UInt32] { state.withLock { $0.gone.compactMap { $0.node.node == nil ? nil : $0.key } } }
}
