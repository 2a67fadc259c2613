import Synchronization

/// How many closed streams wait for their peers' end, and for how long. Their connections are over and in nobody's limits,
/// so that a flood of peers that stay could use up all descriptors; over the bound a stream closes at once.
final class Lingering: Sendable {
  /// That of the process's streams, whatever carries them. The time is long enough for our last bytes not to be lost to a
  /// reset (RFC 1122, 4.2.2.13).
  static let shared = Lingering(limit: 1024, time: .seconds(1))

  let limit: Int
  let time: Duration
  private let number = Atomic(0)

  init(limit: Int, time: Duration) {
    self.limit = limit
    self.time = time
  }

  var count: Int { number.load(ordering: .relaxed) }

  /// Whether there is room for one more; ``end()`` gives it back.
  func begin() -> Bool {
    if number.add(1, ordering: .relaxed).newValue <= limit { return true }
    end()
    return false
  }

  func end() { number.subtract(1, ordering: .relaxed) }
}
