import Dispatch
import Synchronization

/// The log's way to standard error: a thread of its own writes, so that a reader that stalls (a full pipe, a stopped terminal)
/// holds up no node. What does not fit meanwhile is lost, and counted.
final class LogQueue: Sendable {
  /// Bytes that may wait.
  static let bound = 1 << 20
  /// So long the end of the process waits for a reader that stalls.
  static let patience = 2.0

  static let standardError = LogQueue(.error)

  private struct State {
    var waiting: [String] = []
    var size = 0
    var lost = 0
    /// Those who want to know when all that waits has been written.
    var drains: [DispatchSemaphore] = []
    /// How the loss is told; where nothing is logged there is none.
    var loss: (@Sendable (Int) -> String)?
    var isRunning = false
  }

  private let output: Output
  private let state = Mutex(State())
  private let work = DispatchSemaphore(value: 0)

  init(_ output: Output) { self.output = output }

  /// - Parameter line: says in the log's own format that so many lines were lost.
  func sayLosses(_ line: @escaping @Sendable (Int) -> String) { state.withLock { $0.loss = line } }

  /// Never waits.
  func add(_ text: String) { add(text, room: Self.bound) }

  private func add(_ text: String, room: Int) {
    let (isFirst, wakes) = state.withLock { state in
      // However long a line is, where nothing waits it may go.
      guard state.size == 0 || state.size + text.utf8.count <= room else {
        state.lost += 1
        return (false, state.lost == 1)
      }
      let wasEmpty = state.waiting.isEmpty
      state.waiting.append(text)
      state.size += text.utf8.count
      defer { state.isRunning = true }
      return (!state.isRunning, wasEmpty)
    }
    if isFirst { SystemThread.detach { self.write() } }
    if wakes { work.signal() }
  }

  /// Waits until what has been added is out.
  ///
  /// - Returns: false where it was not within so many seconds.
  @discardableResult func flush(within seconds: Double = patience) -> Bool {
    let drain = DispatchSemaphore(value: 0)
    let isRunning = state.withLock { state in
      if state.isRunning { state.drains.append(drain) }
      return state.isRunning
    }
    guard isRunning else { return true }
    work.signal()
    return drain.wait(timeout: .now() + seconds) == .success
  }

  /// What is said before the process leaves, behind the log, however much of that waits. Where standard error stalls, it is left
  /// unsaid.
  func addLast(_ text: String) {
    if !text.isEmpty { add(text, room: .max) }
    flush()
  }

  private func write() {
    while true {
      work.wait()
      let (batch, lost, loss, drains) = state.withLock { state in
        defer { (state.waiting, state.lost, state.drains) = ([], 0, []) }
        return (state.waiting, state.lost, state.loss, state.drains)
      }
      if !batch.isEmpty { output.tell(batch.joined()) }
      state.withLock { state in state.size -= batch.reduce(0) { $0 + $1.utf8.count } }
      if lost > 0, let loss { output.tell(loss(lost)) }
      for drain in drains { drain.signal() }
    }
  }
}
