import Synchronization
import TestNetwork

/// Tells a test run as it happens, on standard output.
final class TestReporter: Sendable {
  enum Style: Sendable { case text(TextReport), tap }

  private struct Running {
    var name: String
    var position: Int
    var count: Int
    var start: ContinuousClock.Instant
  }
  private struct State {
    var entries: [TestEntry] = []
    var running: Running?
    var isProgressShown = false
    var isOver = false
  }

  private let state = Mutex(State())
  private let style: Style
  private let start = ContinuousClock.now

  init(_ style: Style) {
    self.style = style
    if case .tap = style { write(TAPReport().header) }
  }

  var entries: [TestEntry] { state.withLock { $0.entries } }
  var elapsed: Duration { ContinuousClock.now - start }

  func report(_ event: ScenarioRunner.Event) {
    switch event {
    case .started(let name, let index, let count):
      state.withLock { $0.running = Running(name: name, position: index + 1, count: count, start: .now) }
    case .finished(let result): add(TestEntry(result))
    }
  }

  func add(_ entry: TestEntry) {
    state.withLock { state in
      guard !state.isOver else { return }
      state.running = nil
      eraseProgress(&state)
      state.entries.append(entry)
      switch style {
      case .text(let report): write(report.entry(entry))
      case .tap: write(TAPReport().entry(entry, number: state.entries.count))
      }
    }
  }

  /// Redraws the progress line, once a scenario has taken noticeably long.
  func drawProgress(width: Int) {
    state.withLock { state in
      guard let running = state.running, !state.isOver else { return }
      let elapsed = ContinuousClock.now - running.start
      guard elapsed > .milliseconds(500) else { return }
      let line = ProgressLine.text(
        name: running.name, position: running.position, count: running.count, elapsed: elapsed, width: width)
      write(ProgressLine.erase + line)
      state.isProgressShown = true
    }
  }

  /// The count. Nothing is told afterwards.
  ///
  /// - Parameter interruption: what ended the run early, if something did.
  func finish(interruption: String? = nil) {
    state.withLock { state in
      guard !state.isOver else { return }
      eraseProgress(&state)
      state.isOver = true
      switch style {
      case .text(let report):
        if let running = state.running, let interruption {
          write("\(interruption) during: \(Printable.text(running.name))\n")
        }
        write(report.summary(state.entries, duration: elapsed))
      case .tap: write(interruption.map(TAPReport().bailOut) ?? TAPReport().plan(state.entries.count))
      }
    }
  }

  private func eraseProgress(_ state: inout State) {
    if state.isProgressShown { write(ProgressLine.erase) }
    state.isProgressShown = false
  }

  // A run whose results nobody can read has no point in going on.
  private func write(_ text: String) {
    do throws(CommandFailure) { try Output.standard.write(text) } catch { error.leave() }
  }
}
