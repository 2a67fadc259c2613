/// The tasks that were spawned and have not started.
///
/// Where a script's memory is used up, each start collects all of it in vain, which takes the loop as long as that many
/// collections. So a crowd of them goes with the run that found the memory used up; a few are left to try.
struct TaskStarts {
  private(set) var waiting = 0
  private var round = 0

  private static let few = 32

  /// What to ask about this start when its turn comes.
  mutating func add() -> Int {
    waiting += 1
    return round
  }

  /// It went with a run that used the memory up.
  func isCalledOff(_ ticket: Int) -> Bool { ticket != round }

  /// Whether it may go on.
  mutating func begin(_ ticket: Int) -> Bool {
    guard ticket == round else { return false }
    waiting -= 1
    return true
  }

  /// How many tasks will not start; nil: there were only a few.
  mutating func callOffIfTooMany() -> Int? {
    guard waiting > Self.few else { return nil }
    defer { waiting = 0 }
    round += 1
    return waiting
  }
}
