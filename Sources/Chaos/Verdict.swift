import Glibc
import Synchronization

/// Where a run stands, for whoever reports a failure; and the one way in which a run fails: at once.
final class Verdict: Sendable {
  private struct State {
    var epoch = 0
    var mix = "none yet"
    var reporters: [@Sendable (String) -> [String]] = []
    var isOver = false
  }
  let seed: UInt64
  private let again: String
  private let state = Mutex(State())

  /// - Parameter again: the command that runs it once more.
  init(seed: UInt64, again: String) {
    self.seed = seed
    self.again = again
  }

  func begin(epoch: Int, _ mix: String) {
    state.withLock { ($0.epoch, $0.mix) = (epoch, mix) }
  }

  /// What else is said when the run fails, given what went wrong.
  func add(_ reporter: @escaping @Sendable (String) -> [String]) { state.withLock { $0.reporters.append(reporter) } }

  /// Ends the process: what happens after a broken promise says nothing.
  func fail(_ what: String) -> Never {
    let (epoch, mix, reporters, isFirst) = state.withLock { state in
      defer { state.isOver = true }
      return (state.epoch, state.mix, state.reporters, !state.isOver)
    }
    // Another thread is on its way out with the first failure.
    while !isFirst { pause() }
    var lines = ["CHAOS FAILED with seed \(seed), in epoch \(epoch) (\(mix)): \(what)"]
    for reporter in reporters { lines += reporter(what) }
    lines.append("again: \(again)")
    say(lines.joined(separator: "\n"))
    _exit(1)
  }
}

/// A line of the report, out at once.
func say(_ text: String) {
  print(text)
  fflush(nil)
}
