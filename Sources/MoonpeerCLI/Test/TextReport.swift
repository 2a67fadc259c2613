import TestNetwork

/// A test run for people: a line per scenario, details under those that failed, a count at the end.
struct TextReport: Sendable {
  var palette = Palette.plain

  func entry(_ entry: TestEntry) -> String {
    let verdict = entry.hasPassed ? palette.paint("ok  ", .green) : palette.paint("FAIL", .red)
    let looks = entry.looks == 0 ? "" : ", properties checked \(entry.looks == 1 ? "once" : "\(entry.looks) times")"
    let time = palette.paint("(\(entry.duration.forPeople)\(looks))", .dim)
    var lines = ["\(verdict)  \(Printable.text(entry.name)) \(time)"]
    switch entry.outcome {
    case .passed: break
    case .unloadable(let reason): lines += Printable.lines(reason).map(Self.indented)
    case .failed(let failure):
      let place = failure.location ?? entry.location
      var message = Printable.lines(failure.message)
      message[0] = "\(Printable.text(place)): \(message[0])"
      lines += message.map(Self.indented)
      if let traceback = failure.traceback { lines += Printable.lines(traceback).map { palette.paint(Self.indented($0), .dim) } }
      if !failure.log.isEmpty {
        lines.append(Self.indented("the nodes' log:"))
        lines += failure.log.flatMap(Printable.lines).map { palette.paint(Self.indented("  " + $0), .dim) }
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  func summary(_ entries: [TestEntry], duration: Duration) -> String {
    let failed = entries.count { !$0.hasPassed }
    let count = entries.count == 1 ? "1 scenario" : "\(entries.count) scenarios"
    let verdict =
      failed == 0
      ? palette.paint("\(entries.count) passed", .green)
      : palette.paint("\(failed) failed", .red) + ", \(entries.count - failed) passed"
    return "\(count): \(verdict) (\(duration.forPeople))\n"
  }

  private static func indented(_ line: String) -> String { "      " + line }
}
