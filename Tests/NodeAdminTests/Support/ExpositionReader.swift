/// Reads the Prometheus text format by the rules of its specification, and refuses what breaks one of them.
struct ExpositionReader {
  struct Family: Equatable {
    var help: String
    var type: String
    /// Series by name and labels as written, with their values.
    var series: [String: Double] = [:]
  }
  private(set) var families: [String: Family] = [:]
  private var current: String?

  init(_ text: String) throws {
    guard text.isEmpty || text.hasSuffix("\n") else { throw NotSo(description: "the last line has no end") }
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() { try read(line) }
    for (name, family) in families { try check(name, family) }
  }

  func value(_ series: String) -> Double? {
    for family in families.values { if let value = family.series[series] { return value } }
    return nil
  }

  private mutating func read(_ line: Substring) throws {
    if line.hasPrefix("# ") {
      let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
      guard words.count == 4 else { throw NotSo(description: "no text behind: \(line)") }
      switch words[1] {
      case "HELP":
        guard families[words[2]] == nil else { throw NotSo(description: "\(words[2]) is there twice") }
        families[words[2]] = Family(help: words[3], type: "")
        current = words[2]
      case "TYPE":
        guard current == words[2], families[words[2]]!.series.isEmpty, families[words[2]]!.type.isEmpty else {
          throw NotSo(description: "TYPE in the wrong place: \(line)")
        }
        guard ["counter", "gauge", "histogram"].contains(words[3]) else { throw NotSo(description: "no type: \(line)") }
        families[words[2]]!.type = words[3]
      default: throw NotSo(description: "neither HELP nor TYPE: \(line)")
      }
      return
    }
    guard let name = current, let family = families[name], !family.type.isEmpty else {
      throw NotSo(description: "a sample without HELP and TYPE: \(line)")
    }
    guard let space = line.lastIndex(of: " "), let value = Self.number(line[line.index(after: space)...]) else {
      throw NotSo(description: "no value: \(line)")
    }
    let series = String(line[..<space])
    let base = try Self.name(of: series)
    let allowed = family.type == "histogram" ? [name + "_bucket", name + "_sum", name + "_count"] : [name]
    guard allowed.contains(base) else { throw NotSo(description: "\(base) among the samples of \(name)") }
    guard family.series[series] == nil else { throw NotSo(description: "twice: \(series)") }
    families[name]!.series[series] = value
  }

  private static func number(_ text: Substring) -> Double? {
    switch text {
    case "+Inf": .infinity
    case "-Inf": -.infinity
    case "NaN": .nan
    default: Double(text)
    }
  }

  /// The metric's name, once the labels were seen to be written as they must be.
  private static func name(of series: String) throws -> String {
    let name = series.prefix { $0 != "{" }
    guard isName(name) else { throw NotSo(description: "no name: \(series)") }
    var rest = series.dropFirst(name.count)
    guard !rest.isEmpty else { return String(name) }
    guard rest.hasPrefix("{"), rest.hasSuffix("}") else { throw NotSo(description: "labels: \(series)") }
    rest = rest.dropFirst().dropLast()
    while !rest.isEmpty {
      let label = rest.prefix { $0 != "=" }
      rest = rest.dropFirst(label.count)
      guard isName(label), rest.hasPrefix("=\"") else { throw NotSo(description: "label \(label): \(series)") }
      rest = rest.dropFirst(2)
      while let next = rest.first, next != "\"" {
        rest = rest.dropFirst()
        guard next == "\\" else { continue }
        guard let escaped = rest.first, "\\n\"".contains(escaped) else { throw NotSo(description: "escape: \(series)") }
        rest = rest.dropFirst()
      }
      guard rest.hasPrefix("\"") else { throw NotSo(description: "no end of \(label): \(series)") }
      rest = rest.dropFirst()
      if rest.hasPrefix(",") {
        rest = rest.dropFirst()
      } else if !rest.isEmpty {
        throw NotSo(description: "between labels: \(series)")
      }
    }
    return String(name)
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, !(48...57).contains(first) else { return false }
    return text.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 32) || $0 == UInt8(ascii: "_") }
  }

  /// Histograms are cumulative, end with +Inf, and agree with their count; counters are named as such.
  private func check(_ name: String, _ family: Family) throws {
    guard !family.series.isEmpty else { throw NotSo(description: "\(name) has no samples") }
    if family.type == "counter", !name.hasSuffix("_total") { throw NotSo(description: "the counter \(name)") }
    guard family.type == "histogram" else { return }
    for (series, count) in family.series where series.hasPrefix(name + "_count") {
      let labels = series.dropFirst(name.count + 6)
      let inner = labels.isEmpty ? "" : labels.dropFirst().dropLast() + ","
      guard family.series["\(name)_bucket{\(inner)le=\"+Inf\"}"] == count else {
        throw NotSo(description: "+Inf of \(series) is not its count")
      }
      guard family.series["\(name)_sum\(labels)"] != nil else { throw NotSo(description: "no sum of \(series)") }
      let buckets = family.series.filter { $0.key.hasPrefix("\(name)_bucket{\(inner)le=") }
      let sorted = buckets.map { key, value in (Self.number(key.split(separator: "\"").dropLast().last!)!, value) }.sorted {
        $0.0 < $1.0
      }
      for (lower, upper) in zip(sorted, sorted.dropFirst()) where lower.1 > upper.1 {
        throw NotSo(description: "buckets of \(series) shrink")
      }
    }
  }
}
