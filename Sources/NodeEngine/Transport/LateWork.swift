import DequeModule

/// What a loop has to do once others have had their turn, first come, first served.
final class LateWork {
  /// So long at a time: whatever takes longer was the last one of its turn.
  static let share: Int64 = 10_000_000
  /// It waits for a turn in which nothing else happens, but for no more than so many others.
  private static let busyTurns = 4
  @exclusivity(unchecked) private var turnsMissed = 0
  // Touched on the loop only, and never while an action runs.
  @exclusivity(unchecked) private var waiting: Deque<() -> Void> = []

  var isEmpty: Bool { waiting.isEmpty }

  func removeAll() { waiting = [] }

  func append(_ action: @escaping () -> Void) { waiting.append(action) }

  /// Runs those that wait, until their share of this turn is used up; what they add waits for the next.
  ///
  /// - Parameter clock: in nanoseconds.
  func run(clock: () -> Int64) {
    guard !waiting.isEmpty else { return }
    turnsMissed = 0
    let end = clock() + Self.share
    var left = waiting.count
    while left > 0, let action = waiting.popFirst() {
      action()
      left -= 1
      if clock() >= end { return }
    }
  }

  /// Where there is other work: whoever does it may be what waits has given way to.
  func runIfOld(clock: () -> Int64) {
    guard !waiting.isEmpty else { return }
    turnsMissed += 1
    if turnsMissed > Self.busyTurns { run(clock: clock) }
  }
}
