import Foundation
import NodeCore
import NodeEngine
import NodeScripting
import Testing

@testable import NodeAdmin

@Suite struct ExpositionTests {
  @Test func `Counters, gauges and histograms are written as the format has them`() {
    var histogram = Histogram(bounds: [0.001, 1])
    for value in [0.0005, 0.5, 0.5, 7] { histogram.observe(value) }
    let text = Exposition.text([
      MetricFamily(
        name: "a_total", kind: .counter, help: "what \"is\"\ncounted \\ here",
        samples: [.init([.init("node", "x"), .init("l", "a\"b\\c\nd")], .count(UInt64.max)), .init([], .number(1.5))]),
      MetricFamily(name: "empty", kind: .gauge, help: "nothing"),
      MetricFamily(name: "g", kind: .gauge, help: "g", samples: [.init([], .number(-.infinity))]),
      MetricFamily(name: "h_seconds", kind: .histogram, help: "h", samples: [.init([.init("node", "x")], .histogram(histogram))]),
    ])
    #expect(
      text == #"""
        # HELP a_total what "is"\ncounted \\ here
        # TYPE a_total counter
        a_total{node="x",l="a\"b\\c\nd"} 18446744073709551615
        a_total 1.5
        # HELP g g
        # TYPE g gauge
        g -Inf
        # HELP h_seconds h
        # TYPE h_seconds histogram
        h_seconds_bucket{node="x",le="0.001"} 1
        h_seconds_bucket{node="x",le="1"} 3
        h_seconds_bucket{node="x",le="+Inf"} 4
        h_seconds_sum{node="x"} 8.0005
        h_seconds_count{node="x"} 4

        """#)
  }

  @Test(arguments: [(0.0, "0"), (-0.0, "0"), (1e-6, "1e-06"), (3, "3"), (1e300, "1e+300"), (.nan, "NaN"), (.infinity, "+Inf")])
  func `A number is one that Prometheus reads`(number: Double, text: String) {
    #expect(Exposition.number(number) == text)
  }

  /// What a node serves, after it has done a bit of everything.
  private func served() async throws -> String {
    let script = """
      return { codec = require "moonpeer.codec".lines(), on_connect = function() end,
        init = function(node)
          node.state.h = node:metric("wait_seconds", { kind = "histogram", help = "waited", labels = { "who" } })
          node.state.h:observe(0.2, { who = 'a "b" \\\\ c' })
          node:metric("orders_total", { kind = "counter", help = "orders" })
        end,
        process_message = function(_, conn, message) conn:send(message) end }
      """
    return try await withNode(script) { server in
      try await withNode("return { codec = require 'moonpeer.codec'.lines() }", name: "ben-\"quoted\"") { client in
        try await client.lua(
          "local conn = assert(node:connect(...)) assert(conn:request('x') == 'x') conn:disconnect()", server.at)
        try await eventually("it is over") { await server.snapshot().node.disconnects.count == 1 }
        return Exposition.text(await NodeMetrics { [server, client] }.families())
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `What nodes serve keeps the rules of the format`() async throws {
    let text = try await served()
    let reader = try ExpositionReader(text)
    #expect(reader.value(#"moonpeer_messages_received_total{node="anna"}"#) == 1)
    #expect(reader.value(#"moonpeer_connections_established_total{node="ben-\"quoted\"",side="initiator"}"#) == 1)
    #expect(reader.value(#"moonpeer_disconnects_total{node="anna",reason="eof"}"#) == 1)
    #expect(reader.value(#"moonpeer_hook_duration_seconds_count{node="anna",hook="process_message"}"#) == 1)
    #expect(reader.value(#"wait_seconds_count{node="anna",who="a \"b\" \\ c"}"#) == 1)
    #expect(reader.value(#"orders_total{node="anna"}"#) == 0)
    #expect(reader.value("moonpeer_nodes") == 2 && reader.value("moonpeer_nodes_silent") == 0)
    let catalogued = Set(MetricCatalogue.all.map(\.name) + NodeMetrics.processNames)
    #expect(reader.families.keys.filter { $0.hasPrefix("moonpeer_") }.allSatisfy(catalogued.contains))
    for metric in MetricCatalogue.all {
      guard let family = reader.families[metric.name] else { continue }
      #expect(family.type == metric.kind.rawValue)
      for series in family.series.keys { for label in metric.labels { #expect(series.contains("\(label)=\""), "\(series)") } }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Prometheus' own checker finds nothing`() async throws {
    let text = try await served()
    let check = Process()
    check.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    check.arguments = ["promtool", "check", "metrics"]
    let input = Pipe()
    let output = Pipe()
    (check.standardInput, check.standardOutput, check.standardError) = (input, output, output)
    try check.run()
    // Less than a pipe holds, so that nobody waits for the other.
    try #require(text.utf8.count < 60_000)
    signal(SIGPIPE, SIG_IGN)
    try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    try? input.fileHandleForWriting.close()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    check.waitUntilExit()
    if check.terminationStatus == 127 {
      print("promtool is missing (apt-get install prometheus): its check was left out; the rules are checked by our own reader")
      return
    }
    #expect(check.terminationStatus == 0 && said.isEmpty, "\(said)\n\(text)")
  }

  @Test(.timeLimit(.minutes(5))) func `Every kind of hook is timed, sessions, timers and tasks too`() async throws {
    let script = """
      local function nothing() end
      return {
        codec = require "moonpeer.codec".lines(),
        init = function(node)
          node:spawn(function() node:sleep("1ms") error "its time counts all the same" end)
          node:after("1ms", nothing)
        end,
        timers = { tick = { every = "2ms", run = nothing } },
        handshake = nothing, on_connect = nothing, on_disconnect = nothing, on_shutdown = nothing,
        session = function(_, conn) conn:send(assert(conn:receive())) end,
        calls = { ask = nothing },
      }
      """
    try await withNode(script) { server in
      try await withNode(
        "return { codec = require 'moonpeer.codec'.lines(), process_message = function() end }", name: "ben"
      ) { client in
        _ = try await server.call("ask")
        try await client.lua("local conn = assert(node:connect(...)) conn:send('x')", server.at)
        func count(_ hook: String) async throws -> Double {
          let reader = try ExpositionReader(Exposition.text(await NodeMetrics { [server] }.families()))
          return reader.value(#"moonpeer_hook_duration_seconds_count{node="anna",hook="\#(hook)"}"#) ?? 0
        }
        try await eventually("the session's end") { try await count("on_disconnect") == 1 }
        for hook in ["init", "handshake", "on_connect", "session", "call"] { #expect(try await count(hook) == 1, "\(hook)") }
        try await eventually("the task") { try await count("task") == 1 }
        // More than the one of `after`.
        try await eventually("the ticks") { try await count("timer") > 2 }
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `A connection more is no series more`() async throws {
    let script = """
      return { codec = require "moonpeer.codec".lines(), on_connect = function() end, on_disconnect = function() end,
        process_message = function(_, conn, message) conn:send(message) end }
      """
    try await withNode(script) { server in
      try await withNode("return { codec = require 'moonpeer.codec'.lines() }", name: "ben") { client in
        func series(afterConnections count: UInt64) async throws -> Int {
          for _ in 0..<(count == 1 ? 1 : 19) {
            try await client.lua(
              "local conn = assert(node:connect(...)) for i = 1, 32 do assert(conn:request('x')) end conn:disconnect()", server.at
            )
          }
          try await eventually("their end") {
            await server.snapshot().node.disconnects.values.reduce(0, +) == count
          }
          let reader = try ExpositionReader(Exposition.text(await NodeMetrics { [server, client] }.families()))
          return reader.families.values.reduce(0) { $0 + $1.series.count }
        }
        let one = try await series(afterConnections: 1)
        #expect(try await series(afterConnections: 20) == one)
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `One name has one kind: the node that comes first has it, and the other is counted`()
    async throws
  {
    try await withNode("return {}") { first in
      try await withNode("return {}", name: "ben") { second in
        try await first.lua("node:metric('x', { kind = 'gauge' }):set(1)")
        try await second.lua("node:metric('x', { kind = 'histogram' }):observe(1)")
        let reader = try ExpositionReader(Exposition.text(await NodeMetrics { [first, second] }.families()))
        #expect(reader.families["x"]?.series == [#"x{node="anna"}"#: 1])
        #expect(reader.value("moonpeer_script_metrics_hidden") == 1)
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `A node whose loop is busy is left out and counted`() async throws {
    try await withNode("return { config = { script_time = '10m' } }") { node in
      // Until it is told: what a script that hogs its loop looks like from outside.
      let busy = DispatchSemaphore(value: 0)
      node.withSnapshot { _ in busy.wait() }
      let families = await NodeMetrics(patience: .milliseconds(20)) { [node] }.families()
      busy.signal()
      let reader = try ExpositionReader(Exposition.text(families))
      #expect(reader.value("moonpeer_nodes") == 0 && reader.value("moonpeer_nodes_silent") == 1)
    }
  }
}
