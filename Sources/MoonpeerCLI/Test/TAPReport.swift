import TestNetwork

/// A test run in the Test Anything Protocol, version 14 (testanything.org), with the plan at the end.
struct TAPReport: Sendable {
  let header = "TAP version 14\n"

  /// - Parameter number: counted from 1.
  func entry(_ entry: TestEntry, number: Int) -> String {
    var text = "\(entry.hasPassed ? "ok" : "not ok") \(number) - \(Self.description(entry.name))\n"
    text += "  ---\n"
    if let problem = entry.problem { text += "  message: \(JSONText.quoted(problem))\n  severity: fail\n" }
    var place = entry.location
    if case .failed(let failure) = entry.outcome, let location = failure.location { place = location }
    text += "  at: \(JSONText.quoted(place))\n"
    text += "  duration_ms: \(Int(entry.duration.milliseconds.rounded()))\n"
    if entry.looks > 0 { text += "  property_checks: \(entry.looks)\n" }
    if case .failed(let failure) = entry.outcome {
      if let traceback = failure.traceback { text += "  traceback: \(JSONText.quoted(traceback))\n" }
      if !failure.log.isEmpty {
        text += "  log:\n" + failure.log.map { "    - \(JSONText.quoted($0))\n" }.joined()
      }
    }
    return text + "  ...\n"
  }

  func plan(_ count: Int) -> String { "1..\(count)\n" }

  /// What tells a harness that the run did not come to its end.
  func bailOut(_ reason: String) -> String { "Bail out! \(Printable.text(reason))\n" }

  // `#` would begin a directive such as TODO, and `\` begins an escape.
  private static func description(_ name: String) -> String {
    Printable.text(name).replacing("\\", with: "\\\\").replacing("#", with: "\\#")
  }
}
