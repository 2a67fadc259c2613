public import NodeCore

/// The Prometheus text format, version 0.0.4:
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
public enum Exposition {
  /// What a response with it says it is.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// All families as text; those without a sample are left out.
  public static func text(_ families: [MetricFamily]) -> String {
    var text = ""
    for family in families where !family.samples.isEmpty { write(family, to: &text) }
    return text
  }

  private static func write(_ family: MetricFamily, to text: inout String) {
    text += "# HELP \(family.name) \(escaped(family.help))\n"
    text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
    for sample in family.samples {
      switch sample.value {
      case .number(let value): line(family.name, sample.labels, number(value), to: &text)
      case .count(let count): line(family.name, sample.labels, "\(count)", to: &text)
      case .histogram(let histogram): write(histogram, family.name, sample.labels, to: &text)
      }
    }
  }

  private static func write(_ histogram: Histogram, _ name: String, _ labels: [MetricFamily.Label], to text: inout String) {
    var total: UInt64 = 0
    for (index, count) in histogram.counts.enumerated() {
      total += count
      let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
      line(name + "_bucket", labels + [MetricFamily.Label("le", bound)], "\(total)", to: &text)
    }
    line(name + "_sum", labels, number(histogram.sum), to: &text)
    line(name + "_count", labels, "\(total)", to: &text)
  }

  private static func line(_ name: String, _ labels: [MetricFamily.Label], _ value: String, to text: inout String) {
    text += name
    if !labels.isEmpty {
      text += "{" + labels.map { "\($0.name)=\"\(escaped($0.value, quotes: "\\\""))\"" }.joined(separator: ",") + "}"
    }
    text += " \(value)\n"
  }

  /// A number as Go's ParseFloat reads it; whole ones without a fraction.
  static func number(_ number: Double) -> String {
    if number.isNaN { return "NaN" }
    if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
    if number == number.rounded(), abs(number) < 1e15 { return "\(Int64(number))" }
    return "\(number)"
  }

  /// In help texts a quote stays as it is, in label values it does not.
  private static func escaped(_ text: String, quotes: String = "\"") -> String {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\"") }) else {
      return text
    }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"": result += quotes
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
