import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// `node:metric`: what a script counts for itself.
@Suite(.timeLimit(.minutes(5))) struct MetricTests {
  private func own(_ node: ScriptedNode) async -> [MetricFamily] { await node.snapshot().node.own }

  @Test func `A script counts, sets and observes, with labels and without`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      try await node.lua(
        """
        local orders = node:metric("orders_total", { kind = "counter", help = "orders taken", labels = { "size", "paid" } })
        orders:add(2, { size = "large", paid = true })
        orders:add(nil, { size = 3, paid = false })
        orders:add(0.5, { size = "large", paid = true })
        local open = node:metric("open", { kind = "gauge" })
        open:set(5)
        open:add(-2)
        node:metric("wait_seconds", { kind = "histogram", buckets = { 0.1, 1 } }):observe(0.5)
        """)
      let families = await own(node)
      #expect(families.map(\.name) == ["orders_total", "open", "wait_seconds"])
      #expect(families.map(\.help) == ["orders taken", "open, by the node's script", "wait_seconds, by the node's script"])
      #expect(
        families[0].samples == [
          .init([.init("size", "3"), .init("paid", "false")], .number(1)),
          .init([.init("size", "large"), .init("paid", "true")], .number(2.5)),
        ])
      #expect(families[1].samples == [.init([], .number(3))])
      var expected = Histogram(bounds: [0.1, 1])
      expected.observe(0.5)
      #expect(families[2].samples == [.init([], .histogram(expected))])
    }
  }

  @Test func `The same name gives the same metric`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      for _ in 1...2 { try await node.lua("node:metric('seen_total', { kind = 'counter' }):add()") }
      #expect(await own(node).map(\.samples) == [[.init([], .number(2))]])
    }
  }

  @Test func `A reload keeps the metrics, by name, and the log and the snapshot say which generation it is`() async throws {
    try await withNodes { nodes in
      let script = """
        local log = require "moonpeer.log"
        return { calls = { count = function(node)
          log.info("counting")
          node:metric("seen_total", { kind = "counter" }):add()
        end } }
        """
      let node = try await nodes.start(script)
      _ = try await node.call("count")
      try await node.reload(ScriptSource(name: "test.lua", text: script + "\n"))
      _ = try await node.call("count")
      let snapshot = await node.snapshot()
      #expect(snapshot.node.own.map(\.samples) == [[.init([], .number(2))]])
      #expect(snapshot.node.generation == 2 && snapshot.node.heuristics.reloads == 1)
      #expect(snapshot.generations == 2 && snapshot.luaMemory > 20_000)
      #expect(nodes.log.lines(with: "counting").map { $0.metadata["generation"] } == ["1", "2"])
      await node.shutDown()
      #expect(nodes.log.lines(with: "stopped").map { $0.metadata["generation"] } == ["2"])
    }
  }

  @Test(arguments: [
    ("node:metric()", "node:metric: the name must be a string, got nothing"),
    ("node:metric('x')", "node:metric: options are missing; say at least { kind = \"counter\" }"),
    ("node:metric('x', { knid = 'gauge' })", "node:metric: unknown option \"knid\"; did you mean \"kind\"?"),
    ("node:metric('x', {})", "node:metric: kind must be \"counter\", \"gauge\" or \"histogram\", got nothing"),
    ("node:metric('x', { kind = 'counter' })", "node:metric: string \"x\": the name of a counter ends in _total"),
    (
      "node:metric('moonpeer_x', { kind = 'gauge' })",
      "node:metric: string \"moonpeer_x\": names that begin with moonpeer_ are Moonpeer's own"
    ),
    (
      "node:metric('x', { kind = 'gauge', labels = { 'node' } })",
      "node:metric: string \"x\": labels: \"node\": every metric has this label already, with the node's name"
    ),
    ("node:metric('x', { kind = 'gauge', labels = { a = 'b' } })", "node:metric: labels must be a list"),
    ("node:metric('x', { kind = 'gauge', buckets = { 1 } })", "node:metric: buckets are for histograms"),
    (
      "node:metric('x', { kind = 'histogram', buckets = { 2, 1 } })",
      "node:metric: string \"x\": buckets: bounds must grow: 1.0 comes after 2.0"
    ),
    (
      "node:metric('x', { kind = 'histogram', buckets = { 'a' } })",
      "node:metric: buckets: entry 1 must be a number, got string \"a\""
    ),
    ("made:add('a')", "metric:add: the number must be a number, got string \"a\""),
    ("made:add(-1, { kind = 'a' })", "metric:add: made_total: a counter only grows; -1.0 is less than 0"),
    ("made:set(1, { kind = 'a' })", "metric:set: made_total: only a gauge is set; this is a counter"),
    ("made:add(1)", "metric:add: the label \"kind\" is missing"),
    ("made:add(1, { knid = 'a' })", "metric:add: no label string \"knid\" is declared; did you mean \"kind\"?"),
    ("made:add(1, { kind = 'a', other = 1 })", "metric:add: no label string \"other\" is declared; known: kind"),
    ("made:add(1, { kind = {} })", "metric:add: the label \"kind\" must be a string, a number or a boolean, got a table"),
    ("made:add(0/0, { kind = 'a' })", "metric:add: made_total: a finite number is expected"),
    ("made.add(1)", "metric:add: call it with a colon, on a metric; got integer 1"),
    ("made:incr(1)", "a metric has no \"incr\"; known: add, observe, set"),
  ])
  func `A mistake names the script's line and what is right`(code: String, message: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      let error = await failure {
        try await node.lua("local made = node:metric('made_total', { kind = 'counter', labels = { 'kind' } })\n\(code)\nreturn 1")
      }
      #expect(error?.message == message)
      #expect(error?.location == "(code):2")
    }
  }

  @Test func `Too many series are dropped, counted and logged once`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      try await node.lua(
        """
        local seen = node:metric("seen_total", { kind = "counter", labels = { "peer" } })
        for i = 1, 1500 do seen:add(1, { peer = i }) end
        """)
      let snapshot = await node.snapshot().node
      #expect(snapshot.own[0].samples.count == 1000)
      #expect(snapshot.droppedSamples == 500)
      #expect(nodes.log.lines(with: "values for further labels are dropped").count == 1)
    }
  }

  @Test func `A snapshot has the node's counters, its hooks' times and its Lua's memory`() async throws {
    try await withNodes { nodes in
      let script = """
        return { codec = require "moonpeer.codec".lines(), init = function() end, handshake = function() end,
          on_connect = function() end, process_message = function(_, conn, message) conn:send(message) end,
          calls = { hello = function() return 1 end }, on_disconnect = function() end,
          config = { script_memory = "8MiB" } }
        """
      let server = try await nodes.load(script)
      _ = await server.snapshot()
      try await server.start()
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await client.lua("node.state.conn = assert(node:connect(...)) assert(node.state.conn:request('x') == 'x')", server.at)
      _ = try await server.call("hello")
      let live = await server.snapshot()
      #expect(live.node.counts == (1, 0))
      #expect(live.node.established == [.responder: 1])
      #expect(live.node.statistics.messagesReceived == 1)
      #expect(live.node.generation == 1)
      #expect(live.luaMemory > 10_000 && live.luaMemoryLimit == 8 << 20)
      try await client.lua("node.state.conn:disconnect()")
      try await eventually("it is over") { await server.snapshot().node.disconnects == [.eof: 1] }
      try await eventually("on_disconnect has ended") { await server.snapshot().node.hooks.map(\.hook).contains(.onDisconnect) }
      let hooks = await server.snapshot().node.hooks
      #expect(hooks.map(\.hook) == [.initialise, .handshake, .onConnect, .processMessage, .onDisconnect, .call])
      #expect(hooks.allSatisfy { $0.seconds.count == 1 && $0.seconds.sum >= 0 && $0.seconds.sum < 60 })
    }
  }
}
