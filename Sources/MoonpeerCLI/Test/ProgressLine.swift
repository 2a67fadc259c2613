/// The line that shows on a terminal that a long scenario is still running.
struct ProgressLine: Sendable {
  static let erase = "\r\u{1B}[K"

  /// One line that fits into the terminal: the name is cut, never the time.
  static func text(name: String, position: Int, count: Int, elapsed: Duration, width: Int) -> String {
    let seconds = elapsed.components.seconds
    let tail = " (\(position) of \(count), \(seconds) s)"
    let head = "...   "
    let room = max(0, width - 1 - head.count - tail.count)
    let safe = Printable.text(name)
    let shown = safe.count <= room ? safe : String(safe.prefix(max(0, room - 1))) + "…"
    return head + shown + tail
  }
}
