import Foundation
import Synchronization

/// Ends the run when an operation is older than its bound, or none ends any more.
///
/// It counts its own ticks and not the clock's: a machine that stood still for a minute has not given anybody a minute.
final class Watchdog: Sendable {
  private struct Entry {
    var what: String
    var worker: String
    var since: Int
    var bound: Int
  }
  private struct State {
    var tick = 0
    var last = 0
    var next: UInt64 = 0
    var running: [UInt64: Entry] = [:]
    var finished = 0
    var lastProgress = 0
    var counts: [String: Int] = [:]
  }
  private static let ticksPerSecond = 10
  private let verdict: Verdict
  private let patience: Int
  private let state = Mutex(State())

  /// - Parameter patience: by how much bounds are stretched, for builds that are slow.
  init(_ verdict: Verdict, patience: Int) {
    self.verdict = verdict
    self.patience = patience
    verdict.add { [unowned self] _ in self.report() }
  }

  /// Looks ten times a second, on a thread of its own: all others may be what hangs.
  func start() {
    let thread = Thread { [self] in
      while true {
        Thread.sleep(forTimeInterval: 1 / Double(Self.ticksPerSecond))
        look()
      }
    }
    thread.name = "watchdog"
    thread.start()
  }

  private func look() {
    let problem: String? = state.withLock { state in
      state.tick += 1
      if let old = state.running.values.filter({ state.tick - $0.since > $0.bound }).min(by: { $0.since < $1.since }) {
        return "\(old.worker): \(old.what) has taken longer than \(old.bound / Self.ticksPerSecond) s"
      }
      if state.finished != state.last || state.running.isEmpty {
        (state.last, state.lastProgress) = (state.finished, state.tick)
      }
      guard state.tick - state.lastProgress > 30 * patience * Self.ticksPerSecond else { return nil }
      return "no operation has ended for \(30 * patience) s"
    }
    if let problem { verdict.fail(problem) }
  }

  /// Runs an operation under its bound, in seconds; stretched by the patience.
  func watch<T>(_ worker: String, _ kind: String, _ what: String, bound: Int = 60, _ body: () async -> T) async -> T {
    let id = state.withLock { state in
      state.next += 1
      state.running[state.next] = Entry(
        what: "\(kind) \(what)", worker: worker, since: state.tick, bound: bound * patience * Self.ticksPerSecond)
      return state.next
    }
    let result = await body()
    state.withLock { state in
      state.running[id] = nil
      state.finished += 1
      state.counts[kind, default: 0] += 1
    }
    return result
  }

  var finished: Int { state.withLock { $0.finished } }
  /// How many operations of each kind have ended.
  var counts: [String: Int] { state.withLock { $0.counts } }

  private func report() -> [String] {
    state.withLock { state in
      state.running.values.sorted { $0.since < $1.since }.prefix(24).map {
        "  under way for \((state.tick - $0.since) / Self.ticksPerSecond) s: \($0.worker): \($0.what)"
      }
    }
  }
}
