import Foundation
import NodeEngine

/// What a case's runs came to, as a JSON line.
struct Report {
  let subject: Case
  let parameters: Parameters
  let values: [Double]
  let rawValues: [Double]
  let results: [RunResult]

  init(_ subject: Case, _ parameters: Parameters, _ results: [RunResult], _ rawValues: [Double]) {
    self.subject = subject
    self.parameters = parameters
    self.results = results
    self.rawValues = rawValues
    values = results.map(\.measurement.value)
  }

  var median: Double { values.median }
  /// How many connections, nodes or reloads the runs had, where the case says so.
  private var number: Int? { results.compactMap(\.measurement.number).min() }
  /// The case's, with the number its runs had.
  var title: (name: String, summary: String) { subject.title(of: number) }
  /// Ours to rawloop's; over 1 is better, for costs too.
  var ratio: Double? {
    guard !rawValues.isEmpty else { return nil }
    return subject.unit.isRate ? median / rawValues.median : rawValues.median / median
  }

  var json: String {
    var fields: [(String, String)] = [
      ("case", quoted(subject.name)), ("backend", quoted(parameters.backend.rawValue)),
      ("hooks", quoted(parameters.hooks.rawValue)), ("size", "\(parameters.size)"),
      ("connections", "\(parameters.connections)"), ("nodes", "\(parameters.nodes)"), ("loops", "\(parameters.loops)"),
      ("io_loops", "\(parameters.ioLoops ?? 0)"),
      ("unit", quoted(subject.unit.rawValue)), ("median", number(median)), ("min", number(values.min()!)),
      ("max", number(values.max()!)), ("runs", "\(values.count)"),
      ("cpu_seconds", number(results.map(\.cpuSeconds).median)), ("peak_memory", "\(results.map(\.peakMemory).max()!)"),
      ("checked", "\(results.map(\.measurement.checked).reduce(0, +))"),
    ]
    if let number { fields.append(("number", "\(number)")) }
    for name in results[0].measurement.more.keys.sorted() {
      fields.append((name, number(results.compactMap { $0.measurement.more[name] }.median)))
    }
    for name in results[0].measurement.histograms.keys.sorted() {
      let all = results.compactMap { $0.measurement.histograms[name] }
      let sum = all.dropFirst().reduce(all[0]) { $0 + $1 }
      let pairs = sum.map { "[\($0.upTo.map(number) ?? "null"),\($0.count)]" }
      fields.append((name, "[" + pairs.joined(separator: ",") + "]"))
    }
    if let ratio {
      fields.append(("rawloop", number(rawValues.median)))
      fields.append(("ratio_to_rawloop", number(ratio)))
    }
    return "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }

  private func quoted(_ text: String) -> String { "\"\(text)\"" }
  private func number(_ value: Double) -> String {
    value >= 1000 ? String(format: "%.0f", value) : String(format: "%.4g", value)
  }
}

extension [Double] {
  var median: Double {
    let sorted = sorted()
    let middle = count / 2
    return count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}
