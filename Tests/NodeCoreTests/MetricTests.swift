import Testing

@testable import NodeCore

@Suite struct MetricRulesTests {
  @Test(arguments: [
    ("", MetricKind.gauge, "a name is missing"), ("1st", .gauge, "does not begin with a digit"),
    ("a-b", .gauge, "letters a to z"),
    ("a:b", .gauge, "letters a to z"), ("größe", .gauge, "letters a to z"), ("moonpeer_x", .gauge, "Moonpeer's own"),
    ("__x", .gauge, "Prometheus' own"), ("orders", .counter, "ends in _total"),
    ("orders_total", .gauge, "_total is for counters"),
    ("x_count", .gauge, "_count is what a histogram adds"), ("x_bucket", .histogram, "_bucket is what"),
    (String(repeating: "x", count: 129), .gauge, "at most 128 bytes"),
  ])
  func `A name that Prometheus would not take is refused with the rule`(name: String, kind: MetricKind, rule: String) {
    #expect(MetricRules.problem(withName: name, kind: kind)?.contains(rule) == true)
  }

  @Test(arguments: [("a", MetricKind.gauge), ("Orders_total", .counter), ("_x9", .histogram), ("x_counts", .gauge)])
  func `A good name is taken`(name: String, kind: MetricKind) {
    #expect(MetricRules.problem(withName: name, kind: kind) == nil)
  }

  @Test func `Labels and buckets have rules of their own`() {
    #expect(MetricRules.problem(withLabels: ["a", "b_2"]) == nil)
    for labels in [["node"], ["le"], ["__x"], ["a", "a"], ["a b"], [""], Array(repeating: "", count: 17)] {
      #expect(MetricRules.problem(withLabels: labels) != nil, "\(labels)")
    }
    #expect(MetricRules.problem(withBounds: [-1, 0, 2.5]) == nil)
    for bounds in [[], [1, 1], [2, 1], [.infinity], [.nan], (0..<65).map(Double.init)] {
      #expect(MetricRules.problem(withBounds: bounds) != nil, "\(bounds)")
    }
  }
}

@Suite struct MetricRegistryTests {
  private func declare(
    _ registry: MetricRegistry, _ name: String, _ kind: MetricKind = .counter, labels: [String] = [], bounds: [Double] = []
  ) throws -> MetricRegistry.ID {
    try registry.declare(.init(name: name, kind: kind, help: "help", labels: labels, bounds: bounds)).get()
  }

  @Test func `The same name is the same metric and keeps its values`() throws {
    let registry = MetricRegistry()
    let first = try declare(registry, "a_total")
    #expect(registry.add(2, to: first) == .recorded)
    #expect(try declare(registry, "a_total") == first)
    #expect(registry.add(0.5, to: first) == .recorded)
    #expect(registry.families.map(\.samples) == [[.init([], .number(2.5))]])
  }

  @Test func `A name with another kind, other labels or other buckets is refused`() throws {
    let registry = MetricRegistry()
    _ = try declare(registry, "a", .gauge, labels: ["x"])
    _ = try declare(registry, "h", .histogram, bounds: [1])
    #expect(throws: NodeCoreError.self) { try declare(registry, "a", .histogram, labels: ["x"], bounds: [1]) }
    #expect(throws: NodeCoreError.self) { try declare(registry, "a", .gauge, labels: ["y"]) }
    #expect(throws: NodeCoreError.self) { try declare(registry, "h", .histogram, bounds: [2]) }
  }

  @Test func `Each kind takes what it is for, and finite numbers only`() throws {
    let registry = MetricRegistry()
    let counter = try declare(registry, "c_total")
    let gauge = try declare(registry, "g", .gauge)
    let histogram = try declare(registry, "h", .histogram, bounds: [1, 2])
    #expect(registry.add(-1, to: counter) == .refused("a counter only grows; -1.0 is less than 0"))
    #expect(registry.set(1, of: counter) == .refused("only a gauge is set; this is a counter"))
    #expect(registry.observe(1, in: gauge) == .refused("only a histogram observes; this is a gauge"))
    #expect(registry.add(1, to: histogram) == .refused("a histogram is observed, with observe"))
    for number in [Double.nan, .infinity] {
      #expect(registry.add(number, to: counter) == .refused("a finite number is expected"))
      #expect(registry.set(number, of: gauge) == .refused("a finite number is expected"))
      #expect(registry.observe(number, in: histogram) == .refused("a finite number is expected"))
    }
    #expect(registry.set(3, of: gauge) == .recorded && registry.add(-1, to: gauge) == .recorded)
    for number in [0.5, 1, 1.5, 9] { #expect(registry.observe(number, in: histogram) == .recorded) }
    let values = registry.families.compactMap(\.samples.first?.value)
    #expect(values[1] == .number(2))
    guard case .histogram(let seen) = values[2] else { return #expect(Bool(false), "no histogram") }
    #expect(seen.counts == [2, 1, 1] && seen.sum == 12 && seen.count == 4)
  }

  @Test func `Series beyond the bound are dropped and counted, and those that are there go on`() throws {
    let registry = MetricRegistry(mostSeries: 3)
    let metric = try declare(registry, "a_total", labels: ["x"])
    for value in ["1", "2", "3"] { #expect(registry.add(1, to: metric, [value]) == .recorded) }
    #expect(registry.add(1, to: metric, ["4"]) == .dropped(isFirst: true))
    #expect(registry.add(1, to: metric, ["5"]) == .dropped(isFirst: false))
    #expect(registry.add(1, to: metric, ["1"]) == .recorded)
    #expect(registry.dropped == 2 && registry.seriesCount == 3)
    #expect(registry.families[0].samples.map(\.labels) == [[.init("x", "1")], [.init("x", "2")], [.init("x", "3")]])
    #expect(throws: NodeCoreError.self) { try declare(registry, "b_total") }
    // A refused value makes no series, and so does a wrong number of labels.
    #expect(registry.add(1, to: metric, []) == .refused("1 label values are expected, got 0"))
  }

  @Test func `Metrics are bounded, and long label values are cut between characters`() throws {
    let registry = MetricRegistry(mostMetrics: 1)
    let metric = try declare(registry, "a_total", labels: ["x"])
    #expect(throws: NodeCoreError.self) { try declare(registry, "b_total", labels: ["x"]) }
    _ = registry.add(1, to: metric, [String(repeating: "é", count: 1000) + "x"])
    #expect(registry.add(1, to: metric, ["a" + String(repeating: "é", count: 1000)]) == .recorded)
    let values = registry.families[0].samples.map(\.labels[0].value)
    #expect(Set(values) == [String(repeating: "é", count: 128), "a" + String(repeating: "é", count: 127)])
  }
}
