/// Counts of observations by size: what a Prometheus histogram holds.
public struct Histogram: Sendable, Equatable {
  /// Upper bounds, inclusive, growing; above the last there is one more bucket without a bound.
  public let bounds: [Double]
  /// Observations per bucket, not cumulative: one more than ``bounds``.
  public private(set) var counts: [UInt64]
  /// Of all observations.
  public private(set) var sum = 0.0

  /// - Parameter bounds: finite and growing; see ``MetricRules/problem(withBounds:)``.
  public init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  /// How many observations there were.
  public var count: UInt64 { counts.reduce(0, +) }

  public mutating func observe(_ value: Double, times: UInt64 = 1) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += times
    sum += value * Double(times)
  }

  /// From a microsecond to ten seconds, for what hooks take.
  public static let hookSeconds: [Double] = [
    0.000_001, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10,
  ]

  /// What histograms have that are given no buckets: the usual ones of Prometheus clients, for seconds.
  public static let usual: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
}
