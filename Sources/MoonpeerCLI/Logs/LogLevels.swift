import Logging
import Synchronization

/// The least level that is logged, of the whole program and of each node: it can be changed while they run.
final class LogLevels: Sendable {
  private let state: Mutex<(all: LogThreshold, nodes: [String: LogThreshold])>

  init(_ level: Logger.Level) { state = Mutex((LogThreshold(level), [:])) }

  /// The program's own, which each node starts with.
  var all: LogThreshold { state.withLock { $0.all } }

  func threshold(of node: String) -> LogThreshold {
    state.withLock { state in
      if let known = state.nodes[node] { return known }
      let made = LogThreshold(state.all.level)
      state.nodes[node] = made
      return made
    }
  }

  /// - Parameter node: nil: all of them, and the program.
  func set(_ node: String?, to level: Logger.Level) {
    guard node == nil else { return threshold(of: node!).level = level }
    state.withLock { state in
      state.all.level = level
      for threshold in state.nodes.values { threshold.level = level }
    }
  }
}

/// A level that loggers share.
final class LogThreshold: Sendable {
  private let index: Atomic<Int>

  init(_ level: Logger.Level) { index = Atomic(Self.number(level)) }

  var level: Logger.Level {
    get { Logger.Level.allCases[index.load(ordering: .relaxed)] }
    set { index.store(Self.number(newValue), ordering: .relaxed) }
  }

  private static func number(_ level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level)! }
}
