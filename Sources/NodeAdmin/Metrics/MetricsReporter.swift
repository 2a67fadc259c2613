public import CoreMetrics
import NodeCore

/// Hands the nodes' metrics to swift-metrics, for programs that embed nodes and have a backend of their own: call
/// ``report()`` as often as that backend is to see new values.
///
/// Counters are reported by what they grew, gauges as they are, histograms as two counters, `…_count` and `…_sum`.
public actor MetricsReporter {
  private let metrics: NodeMetrics
  private let factory: (any MetricsFactory)?
  private var last: [Key: Double] = [:]

  private struct Key: Hashable {
    var name: String
    var labels: [MetricFamily.Label]
  }

  /// - Parameter factory: nil: the one that the process was bootstrapped with.
  public init(_ metrics: NodeMetrics, factory: (any MetricsFactory)? = nil) {
    self.metrics = metrics
    self.factory = factory
  }

  /// Takes a snapshot of all nodes and reports it.
  public func report() async {
    for family in await metrics.families() {
      for sample in family.samples { report(sample, of: family) }
    }
  }

  private func report(_ sample: MetricFamily.Sample, of family: MetricFamily) {
    switch sample.value {
    case .number(let number) where family.kind == .gauge:
      let factory = factory ?? MetricsSystem.factory
      Gauge(label: family.name, dimensions: sample.dimensions, factory: factory).record(number)
    case .number(let number): grow(family.name, sample, to: number)
    case .count(let count): grow(family.name, sample, to: Double(count))
    case .histogram(let histogram):
      grow(family.name + "_count", sample, to: Double(histogram.count))
      grow(family.name + "_sum", sample, to: histogram.sum)
    }
  }

  private func grow(_ name: String, _ sample: MetricFamily.Sample, to value: Double) {
    let key = Key(name: name, labels: sample.labels)
    let growth = value - (last[key] ?? 0)
    last[key] = value
    // Reported at 0 too, so that it can be seen.
    let factory = factory ?? MetricsSystem.factory
    FloatingPointCounter(label: name, dimensions: sample.dimensions, factory: factory).increment(by: max(0, growth))
  }
}

extension MetricFamily.Sample {
  fileprivate var dimensions: [(String, String)] { labels.map { ($0.name, $0.value) } }
}
