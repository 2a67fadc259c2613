import NodeCore
import NodeEngine

/// How often a dial is tried, and how long it waits in between.
struct RetrySchedule: Sendable {
  /// At least 1.
  var attempts: Int
  var first: Duration = .milliseconds(250)
  var longest: Duration = .seconds(2)

  /// The wait after an attempt (counted from 1) that failed, doubling up to the longest; nil after the last.
  func delay(after attempt: Int) -> Duration? {
    guard attempt < attempts else { return nil }
    var delay = first
    for _ in 1..<max(1, attempt) where delay < longest { delay *= 2 }
    return min(delay, longest)
  }

  /// Whether the same dial may succeed later. What is this node's own doing will not change by waiting.
  static func isWorthwhile(after code: NodeError.Code) -> Bool {
    switch code {
    case .own, .address, .shutdown, .cancelled, .configuration, .duplicate: false
    default: true
    }
  }
}
