import NodeEngine

/// One message of a connection that is traced.
package struct TracedMessage: Sendable, Equatable {
  /// `received` or `sent`.
  package var direction: String
  /// Seconds since 1970.
  package var time: Double
  /// The message as the codec gives it, written as Lua would; cut where it is long.
  package var text: String
  /// Messages since the one before that were not shown, because there were too many.
  package var leftOut: Int
}

/// What a trace has to tell.
package enum TraceEvent: Sendable, Equatable {
  case message(TracedMessage)
  /// The connection has other code now, of that generation, and the trace goes on there; in seconds since 1970.
  case moved(generation: Int, time: Double)
  /// Nothing more will come; why, and how many messages at the end were not shown.
  case ended(String, leftOut: Int)
}

/// Watches the messages of one connection, as many of them per second as a reader can follow. On the node's loop.
///
/// It stands in the connection's own binding (console.lua), so one that is not traced pays nothing.
final class ConnectionTrace {
  let id: Int64
  private let rate: Int
  private let sink: (TraceEvent) -> Void
  private var windowStart: MonotonicTime?
  private var shown = 0
  private var leftOut = 0
  private var isOver = false

  init(id: Int64, rate: Int, sink: @escaping (TraceEvent) -> Void) {
    self.id = id
    self.rate = rate
    self.sink = sink
  }

  /// Whether there is room for one more in this second; it is counted either way.
  func takes(at now: MonotonicTime) -> Bool {
    guard !isOver else { return false }
    if windowStart.map({ now - $0 >= .seconds(1) }) ?? true {
      windowStart = now
      shown = 0
    }
    guard shown < rate else {
      leftOut += 1
      return false
    }
    shown += 1
    return true
  }

  func note(_ direction: String, _ text: String, time: Double) {
    guard !isOver else { return }
    sink(.message(TracedMessage(direction: direction, time: time, text: text, leftOut: leftOut)))
    leftOut = 0
  }

  func noteMove(to generation: Int, time: Double) {
    guard !isOver else { return }
    sink(.moved(generation: generation, time: time))
  }

  func end(_ why: String) {
    guard !isOver else { return }
    isOver = true
    sink(.ended(why, leftOut: leftOut))
  }
}
