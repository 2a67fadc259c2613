/// What Prometheus allows in names and labels, and what its own checker (`promtool check metrics`) asks for.
///
/// Each rule answers with what is wrong, for the author of the metric, or nil.
public enum MetricRules {
  /// Of all metrics that are Moonpeer's own.
  public static let ownPrefix = "moonpeer_"
  /// The label that every metric of a node has.
  public static let nodeLabel = "node"
  /// Bounds of what a script may declare.
  public static let longestName = 128
  public static let mostLabels = 16
  public static let mostBounds = 64

  /// `[a-zA-Z_][a-zA-Z0-9_]*`, with the suffixes that go with the kind. Colons are legal, but belong to recording rules.
  public static func problem(withName name: String, kind: MetricKind) -> String? {
    guard !name.isEmpty else { return "a name is missing" }
    guard name.utf8.count <= longestName else { return "a name has at most \(longestName) bytes" }
    guard isWord(name) else { return "a name has letters a to z, digits and _, and does not begin with a digit" }
    guard !name.hasPrefix(ownPrefix) else { return "names that begin with \(ownPrefix) are Moonpeer's own" }
    guard !name.hasPrefix("__") else { return "names that begin with __ are Prometheus' own" }
    switch kind {
    case .counter: return name.hasSuffix("_total") ? nil : "the name of a counter ends in _total"
    case .gauge, .histogram:
      for suffix in ["_total", "_count", "_sum", "_bucket"] where name.hasSuffix(suffix) {
        return suffix == "_total" ? "_total is for counters" : "\(suffix) is what a histogram adds to its name"
      }
      return nil
    }
  }

  public static func problem(withLabels names: [String]) -> String? {
    guard names.count <= mostLabels else { return "a metric has at most \(mostLabels) labels" }
    var seen: Set<String> = []
    for name in names {
      guard name.utf8.count <= longestName, isWord(name) else {
        return "\"\(name)\": a label has letters a to z, digits and _, and does not begin with a digit"
      }
      guard !name.hasPrefix("__") else { return "\"\(name)\": labels that begin with __ are Prometheus' own" }
      guard name != nodeLabel else { return "\"node\": every metric has this label already, with the node's name" }
      guard name != "le", name != "quantile" else { return "\"\(name)\": this label is Prometheus' own" }
      guard seen.insert(name).inserted else { return "\"\(name)\" is there twice" }
    }
    return nil
  }

  public static func problem(withBounds bounds: [Double]) -> String? {
    guard !bounds.isEmpty else { return "at least one bound is needed" }
    guard bounds.count <= mostBounds else { return "a histogram has at most \(mostBounds) buckets" }
    guard bounds.allSatisfy(\.isFinite) else { return "bounds are finite numbers; the bucket without a bound comes by itself" }
    for (lower, upper) in zip(bounds, bounds.dropFirst()) where lower >= upper {
      return "bounds must grow: \(upper) comes after \(lower)"
    }
    return nil
  }

  private static func isWord(_ text: String) -> Bool {
    guard let first = text.utf8.first, !isDigit(first) else { return false }
    return text.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "_") || (97...122).contains($0 | 32) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
}
