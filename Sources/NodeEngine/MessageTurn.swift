/// How many messages of one connection are handled before the others have their turn: those of 2 ms.
///
/// A read may hold 65,536 empty ones. The clock is looked at once in 256 messages.
package struct MessageTurn {
  /// Between two looks at the clock.
  package static let series = 256
  /// In nanoseconds.
  package static let share: Int64 = 2_000_000

  private let scheduler: any Scheduler
  private let startedAt: Int64
  private var left = Self.series

  package init(_ scheduler: any Scheduler) {
    self.scheduler = scheduler
    startedAt = scheduler.now.nanoseconds
  }

  /// Whether the next message may be handled in this turn.
  @inline(__always)
  package mutating func hasNext() -> Bool {
    left &-= 1
    return left >= 0 || hasTime()
  }

  /// Looks at the clock; for another series, if there is time left.
  @inline(never)
  package mutating func hasTime() -> Bool {
    left = Self.series
    return scheduler.now.nanoseconds - startedAt < Self.share
  }
}
