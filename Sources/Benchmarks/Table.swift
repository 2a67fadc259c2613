import Foundation
import NodeEngine

/// The reports as a Markdown table, put between two markers of a file.
struct Table {
  static let begin = "<!-- measured: begin (make bench) -->"
  static let end = "<!-- measured: end -->"
  private let text: String

  init(_ reports: [Report], _ scale: Scale) {
    var lines = [
      "Measured \(Machine.date) on \(Machine.description).", "",
      "Medians of \(scale.runs) runs; streams and echoes of \(scale.seconds) s each. The load average was \(scale.load) at the start.",
    ]
    if scale.isQuick {
      lines.append(
        "This was a quick run (`--quick`), with a tenth of the connections, nodes and reloads: each case says how many it had.")
    }
    lines.append("")
    lines.append("| case | backend | median | min–max | CPU s | peak memory | to rawloop |")
    lines.append("|---|---|---|---|---|---|---|")
    for report in reports {
      let unit = report.subject.unit
      let range = "\(Self.figure(report.values.min()!, unit))–\(Self.figure(report.values.max()!, unit))"
      let cpu = String(format: "%.2f", report.results.map(\.cpuSeconds).median)
      let memory = Self.figure(Double(report.results.map(\.peakMemory).max()!), .memory)
      let ratio = report.ratio.map { String(format: "%.2f", $0) } ?? ""
      lines.append(
        "| \(report.title.name): \(report.title.summary) | \(report.parameters.backend.rawValue) | \(Self.figure(report.median, unit)) \(unit == .memory ? "" : unit.rawValue) "
          + "| \(range) | \(cpu) | \(memory) | \(ratio) |")
    }
    text = lines.joined(separator: "\n")
  }

  func write(into path: String) throws {
    let whole = try String(contentsOfFile: path, encoding: .utf8)
    guard let begin = whole.range(of: Self.begin), let end = whole.range(of: Self.end), begin.upperBound <= end.lowerBound else {
      throw BenchError("\(path) has no place for the table: it needs the lines \(Self.begin) and \(Self.end)")
    }
    let made = whole[..<begin.upperBound] + "\n\n" + text + "\n\n" + whole[end.lowerBound...]
    try String(made).write(toFile: path, atomically: true, encoding: .utf8)
  }

  private static func figure(_ value: Double, _ unit: Case.Unit) -> String {
    if unit == .memory {
      return value >= 1_048_576 ? String(format: "%.1f MiB", value / 1_048_576) : String(format: "%.1f KiB", value / 1024)
    }
    if unit == .ratio { return String(format: "%.2f", value) }
    switch value {
    case 1e9...: return String(format: "%.2f G", value / 1e9)
    case 1e6...: return String(format: "%.2f M", value / 1e6)
    case 1e4...: return String(format: "%.1f k", value / 1e3)
    default: return String(format: "%.1f", value)
    }
  }
}

struct BenchError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
