/// The metrics that a node's logic makes for itself, found again by name: they belong to the node and outlive its code.
///
/// Belongs to the node's loop. Bounded: what is over a bound is refused with words (a declaration) or dropped and counted
/// (a new combination of label values, which peers may bring about).
public final class MetricRegistry {
  /// How a metric is known to who uses it.
  public struct ID: Sendable, Hashable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
  }

  public struct Definition: Sendable, Equatable {
    public var name: String
    public var kind: MetricKind
    public var help: String
    public var labels: [String]
    /// Of a histogram; empty for other kinds.
    public var bounds: [Double]

    public init(name: String, kind: MetricKind, help: String, labels: [String] = [], bounds: [Double] = []) {
      self.name = name
      self.kind = kind
      self.help = help
      self.labels = labels
      self.bounds = bounds
    }
  }

  /// What recording a value came to.
  public enum Outcome: Sendable, Equatable {
    case recorded
    /// It would have been a series beyond ``mostSeries``; true for the first of all, which is worth a line in the log.
    case dropped(isFirst: Bool)
    case refused(String)
  }

  private struct Entry {
    var definition: Definition
    var series: [[String]: MetricFamily.Value] = [:]
  }

  /// The bounds of one node.
  public let mostSeries: Int
  public let mostMetrics: Int
  /// Longer label values are cut.
  public static let longestLabelValue = 256
  public static let longestHelp = 1000

  /// Values that were dropped because their series would have been one too many.
  public private(set) var dropped: UInt64 = 0
  /// Combinations of label values, of all metrics.
  public private(set) var seriesCount = 0
  private var entries: [Entry] = []
  private var byName: [String: Int] = [:]

  public init(mostSeries: Int = 1000, mostMetrics: Int = 200) {
    self.mostSeries = mostSeries
    self.mostMetrics = mostMetrics
  }

  /// Finds or makes a metric. One that is there keeps its values; its help text may change, its kind, labels and buckets not.
  public func declare(_ wish: Definition) -> Result<ID, NodeCoreError> {
    if let problem = problem(with: wish) {
      return .failure(NodeCoreError(code: .configuration, message: problem))
    }
    var wish = wish
    wish.help = Self.cut(wish.help, to: Self.longestHelp)
    if let index = byName[wish.name] {
      entries[index].definition.help = wish.help
      return .success(ID(rawValue: index))
    }
    // One without labels has its only series from the start, so that it can be seen at 0.
    if wish.labels.isEmpty {
      guard seriesCount < mostSeries else {
        return .failure(
          NodeCoreError(code: .configuration, message: "the node has \(mostSeries) series already, the most it may have"))
      }
    }
    byName[wish.name] = entries.count
    entries.append(Entry(definition: wish))
    if wish.labels.isEmpty {
      entries[entries.count - 1].series[[]] = Self.start(wish)
      seriesCount += 1
    }
    return .success(ID(rawValue: entries.count - 1))
  }

  private func problem(with wish: Definition) -> String? {
    if let problem = MetricRules.problem(withName: wish.name, kind: wish.kind) { return problem }
    if let problem = MetricRules.problem(withLabels: wish.labels) { return "labels: \(problem)" }
    if wish.kind == .histogram, let problem = MetricRules.problem(withBounds: wish.bounds) { return "buckets: \(problem)" }
    guard let index = byName[wish.name] else {
      return entries.count < mostMetrics ? nil : "the node has \(mostMetrics) metrics already, the most it may have"
    }
    let there = entries[index].definition
    if there.kind != wish.kind { return "it is a \(there.kind.rawValue) already; choose another name" }
    if there.labels != wish.labels {
      let labels = there.labels.isEmpty ? "none" : there.labels.joined(separator: ", ")
      return "it has other labels already (\(labels)); choose another name"
    }
    return there.bounds == wish.bounds ? nil : "it has other buckets already; choose another name"
  }

  /// Adds to a counter or gauge; only a gauge takes less than 0.
  public func add(_ amount: Double, to id: ID, _ labels: [String] = []) -> Outcome {
    guard amount.isFinite else { return .refused(Self.notFinite) }
    return record(id, labels) { kind, value in
      guard kind != .histogram else { return "a histogram is observed, with observe" }
      guard amount >= 0 || kind == .gauge else { return "a counter only grows; \(amount) is less than 0" }
      if case .number(let old) = value { value = .number(old + amount) }
      return nil
    }
  }

  /// Sets a gauge.
  public func set(_ number: Double, of id: ID, _ labels: [String] = []) -> Outcome {
    guard number.isFinite else { return .refused(Self.notFinite) }
    return record(id, labels) { kind, value in
      guard kind == .gauge else { return "only a gauge is set; this is a \(kind.rawValue)" }
      value = .number(number)
      return nil
    }
  }

  /// Adds an observation to a histogram.
  public func observe(_ number: Double, in id: ID, _ labels: [String] = []) -> Outcome {
    guard number.isFinite else { return .refused(Self.notFinite) }
    return record(id, labels) { kind, value in
      guard kind == .histogram, case .histogram(var histogram) = value else {
        return "only a histogram observes; this is a \(kind.rawValue)"
      }
      // Out of its place first, or the buckets would be copied.
      value = .number(0)
      histogram.observe(number)
      value = .histogram(histogram)
      return nil
    }
  }

  private static let notFinite = "a finite number is expected"

  private func record(
    _ id: ID, _ labels: [String], _ change: (MetricKind, inout MetricFamily.Value) -> String?
  ) -> Outcome {
    guard entries.indices.contains(id.rawValue) else { return .refused("there is no such metric") }
    let definition = entries[id.rawValue].definition
    guard labels.count == definition.labels.count else {
      return .refused("\(definition.labels.count) label values are expected, got \(labels.count)")
    }
    let key =
      labels.contains { $0.utf8.count > Self.longestLabelValue }
      ? labels.map { Self.cut($0, to: Self.longestLabelValue) } : labels
    guard let place = entries[id.rawValue].series.index(forKey: key) else {
      var value = Self.start(definition)
      if let problem = change(definition.kind, &value) { return .refused(problem) }
      guard seriesCount < mostSeries else {
        dropped += 1
        return .dropped(isFirst: dropped == 1)
      }
      seriesCount += 1
      entries[id.rawValue].series[key] = value
      return .recorded
    }
    return change(definition.kind, &entries[id.rawValue].series.values[place]).map { .refused($0) } ?? .recorded
  }

  /// All metrics in the order of their declaration, their series by label values.
  public var families: [MetricFamily] {
    entries.map { entry in
      let definition = entry.definition
      let keys = entry.series.keys.sorted { $0.lexicographicallyPrecedes($1) }
      return MetricFamily(
        name: definition.name, kind: definition.kind, help: definition.help,
        samples: keys.map { key in
          MetricFamily.Sample(zip(definition.labels, key).map { MetricFamily.Label($0, $1) }, entry.series[key]!)
        })
    }
  }

  private static func start(_ definition: Definition) -> MetricFamily.Value {
    definition.kind == .histogram ? .histogram(Histogram(bounds: definition.bounds)) : .number(0)
  }

  /// The longest beginning that fits, in whole characters of Unicode.
  private static func cut(_ text: String, to bytes: Int) -> String {
    guard text.utf8.count > bytes else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: bytes)
    while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return String(text.unicodeScalars[..<end])
  }
}
