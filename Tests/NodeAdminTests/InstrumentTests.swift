import CoreMetrics
import NodeCore
import Testing

@testable import NodeAdmin

/// swift-metrics, as a backend and as a client of somebody else's.
@Suite struct InstrumentTests {
  @Test func `Every kind of instrument is served, under a name that Prometheus takes`() throws {
    let factory = InstrumentFactory()
    let counter = Counter(label: "http.requests", dimensions: [("status code", "200")], factory: factory)
    counter.increment(by: 3)
    Counter(label: "http.requests", dimensions: [("status code", "200")], factory: factory).increment()
    FloatingPointCounter(label: "seconds_total", factory: factory).increment(by: 1.5)
    let meter = Meter(label: "9 lives", factory: factory)
    meter.set(9)
    meter.decrement(by: 2)
    Gauge(label: "level", factory: factory).record(4)
    Recorder(label: "sizes", factory: factory).record(0.2)
    Timer(label: "took", factory: factory).recordSeconds(2)
    let reader = try ExpositionReader(Exposition.text(factory.families()))
    #expect(reader.value(#"http_requests_total{status_code="200"}"#) == 4)
    #expect(reader.value("seconds_total") == 1.5)
    #expect(reader.value("_9_lives") == 7)
    #expect(reader.value("level") == 4)
    #expect(reader.value("sizes_count") == 1 && reader.value("sizes_sum") == 0.2)
    #expect(reader.value("took_seconds_sum") == 2)
  }

  @Test func `A name with two kinds keeps its first, and a destroyed one is gone`() throws {
    let factory = InstrumentFactory()
    let gauge = Gauge(label: "x", factory: factory)
    gauge.record(1)
    Recorder(label: "x", factory: factory).record(5)
    #expect(factory.families().map(\.kind) == [.gauge])
    gauge.destroy()
    #expect(factory.families().isEmpty)
    Recorder(label: "x", factory: factory).record(5)
    #expect(factory.families().map(\.kind) == [.histogram])
  }

  @Test(.timeLimit(.minutes(5))) func `A reporter hands on what grew, gauges as they are, and histograms as count and sum`()
    async throws
  {
    try await withNode("return {}") { node in
      let factory = InstrumentFactory()
      let reporter = MetricsReporter(NodeMetrics { [node] }, factory: factory)
      try await node.lua("node.state.c = node:metric('c_total', { kind = 'counter' }) node.state.c:add(2)")
      try await node.lua("node:metric('g', { kind = 'gauge' }):set(7) node:metric('h', { kind = 'histogram' }):observe(0.5)")
      await reporter.report()
      try await node.lua("node.state.c:add(3)")
      await reporter.report()
      await reporter.report()
      let reader = try ExpositionReader(Exposition.text(factory.families()))
      #expect(reader.value(#"c_total{node="anna"}"#) == 5)
      #expect(reader.value(#"g{node="anna"}"#) == 7)
      #expect(reader.value(#"h_count_total{node="anna"}"#) == 1)
      #expect(reader.value(#"h_sum_total{node="anna"}"#) == 0.5)
    }
  }
}
