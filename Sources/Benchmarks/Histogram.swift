/// How often a value lay where.
struct Histogram {
  /// How many were no more than `upTo` and more than the bucket before says; the last one has the rest.
  struct Bucket: Codable {
    /// nil: without bound.
    var upTo: Double?
    var count: Int
  }

  private let sorted: [Double]
  let buckets: [Bucket]

  /// - Parameter bounds: in rising order.
  init(_ values: [Double], bounds: [Double]) {
    sorted = values.sorted()
    var buckets: [Bucket] = []
    var before = 0
    for bound in bounds {
      let below = values.count { $0 <= bound }
      buckets.append(Bucket(upTo: bound, count: below - before))
      before = below
    }
    buckets.append(Bucket(upTo: nil, count: values.count - before))
    self.buckets = buckets
  }

  var max: Double { sorted.last ?? 0 }

  /// The value that this share of them is under; 0 where there is none.
  func percentile(_ share: Double) -> Double {
    sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
  }
}

extension [Histogram.Bucket] {
  /// Of the same bounds.
  static func + (a: Self, b: Self) -> Self { zip(a, b).map { .init(upTo: $0.upTo, count: $0.count + $1.count) } }
}
