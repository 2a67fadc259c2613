/// What a metric is, in the words of the Prometheus text format.
public enum MetricKind: String, Sendable, CaseIterable {
  /// Only grows.
  case counter
  /// Goes up and down.
  case gauge
  /// Observations in buckets.
  case histogram
}

/// All samples of one metric, as they were at one moment.
public struct MetricFamily: Sendable, Equatable {
  public struct Label: Sendable, Hashable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public enum Value: Sendable, Equatable {
    case number(Double)
    /// Counts are kept exact.
    case count(UInt64)
    case histogram(Histogram)
  }

  public struct Sample: Sendable, Equatable {
    public var labels: [Label]
    public var value: Value
    public init(_ labels: [Label], _ value: Value) {
      self.labels = labels
      self.value = value
    }
  }

  public var name: String
  public var kind: MetricKind
  public var help: String
  public var samples: [Sample]

  public init(name: String, kind: MetricKind, help: String, samples: [Sample] = []) {
    self.name = name
    self.kind = kind
    self.help = help
    self.samples = samples
  }

  /// The same with one more label in front of every sample's.
  public func labelled(_ label: Label) -> MetricFamily {
    var family = self
    for index in family.samples.indices { family.samples[index].labels.insert(label, at: 0) }
    return family
  }
}
