import Synchronization

/// How many closed streams of the process wait for their peers' end. Their connections are over and in nobody's limits, so
/// that a flood of peers that stay could use up all descriptors; over the bound a stream closes at once.
enum Lingering {
  static let limit = 1024
  private static let count = Atomic(0)

  /// Whether there is room for one more; ``end()`` gives it back.
  static func begin() -> Bool {
    if count.add(1, ordering: .relaxed).newValue <= limit { return true }
    end()
    return false
  }

  static func end() { count.subtract(1, ordering: .relaxed) }
}
