import Foundation
import NodeCore
import Testing

@testable import NodeAdmin

/// docs/metrics.md lists what is declared, in its order and words.
@Suite struct DocumentedMetricsTests {
  static let table: [String] =
    ["| metric | kind | labels | what |", "|---|---|---|---|"]
    + MetricCatalogue.all.map { metric in
      let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
      return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |"
    }

  @Test func `The table of metrics is the catalogue`() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("docs/metrics.md"), encoding: .utf8)
    let documented = text.split(separator: "\n").filter { $0.hasPrefix("|") }.map(String.init)
    #expect(documented == Self.table, "docs/metrics.md should have:\n\(Self.table.joined(separator: "\n"))")
    for name in NodeMetrics.processNames { #expect(text.contains("`\(name)`")) }
  }

  @Test func `Every metric has a name and a help text of its own`() {
    #expect(Set(MetricCatalogue.all.map(\.name)).count == MetricCatalogue.all.count)
    #expect(MetricCatalogue.all.allSatisfy { $0.help.hasSuffix(".") && !$0.help.contains("|") })
  }
}
