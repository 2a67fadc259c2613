import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// An endless loop or a memory bomb costs its connection, never the node, and cannot be caught.
@Suite(.timeLimit(.minutes(5))) struct BudgetTests {
  private static let endless = "while true do end"
  private static let stubborn = "while true do pcall(function() while true do end end) end"
  private static let bomb = "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end"

  private func script(_ more: String) -> String {
    """
    local codec = require "moonpeer.codec"
    local function run(message) if message == "bad" then \(Self.endless) end end
    return { codec = codec.lines(), config = { script_time = "300ms", script_memory = "4MiB" }, \(more) }
    """
  }

  @Test(arguments: [endless, stubborn, bomb, "table.sort({ 3, 2, 1 }, function() \(stubborn) end)"])
  func `In process_message it ends that connection; the others and the node live on`(code: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        script(
          """
          process_message = function(node, conn, m) if m == "bad" then \(code) end conn:send(m) end,
          on_disconnect = function(node, conn, reason) node.state.kind = reason.kind end
          """))
      let good = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      let bad = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await good.lua("node.state.conn = assert(node:connect(...)) node.state.conn:request 'one'", server.at)
      #expect(try await bad.lua("return select(2, assert(node:connect(...)):request 'bad')", server.at) == "closed")
      #expect(try await good.lua("return node.state.conn:request 'two'") == "two")
      try await eventually("the reason") { try await server.lua("return node.state.kind") == "budget" }
      let heuristics = await server.node.heuristics()
      #expect(heuristics.budgetKills == 1)
      #expect(heuristics.scriptErrors == 0)
      let line = try #require(nodes.log.lines.first { $0.level == .error })
      #expect(line.metadata["kind"] == "budget")
      #expect(line.message.hasPrefix("test.lua:3: in process_message (peer 127.0.0.1:"), "\(line.message)")
    }
  }

  /// Messages that take a few milliseconds each, all in one read.
  @Test(arguments: [
    "codec.length_prefixed { width = 1 }", "codec.framed { header = 1, size = function(h) return h:byte() + 1 end }",
    "codec.map(codec.length_prefixed { width = 1 }, { decode = function(b) return b end })",
    "codec.custom { decode = function(b) return b:bytes(1, 2), 2 end }",
  ])
  func `The budget is a message's own, whatever codec cuts it`(codec: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = \(codec), config = { script_time = "300ms", inbound_queue = 1000 },
          init = function(node) node.state.count = 0 end,
          process_message = function(node, conn, m)
            local until_then = os.clock() + 0.02
            while os.clock() < until_then do end
            node.state.count = node.state.count + 1
          end }
        """)
      let client = try RawClient(await server.node.address!)
      try await client.write((0..<40).flatMap { _ in [1, 7] as [UInt8] })
      try await eventually("all are handled") { try await server.lua("return node.state.count") == 40 }
      #expect(await server.node.heuristics().budgetKills == 0)
    }
  }

  @Test(arguments: ["on_connect", "session", "handshake", "on_disconnect", "decode", "codec"])
  func `In any hook of a connection it ends that connection`(hook: String) async throws {
    let codes = [
      "on_connect": "on_connect = function(node, conn) \(Self.endless) end",
      "session": "session = function(node, conn) conn:receive() \(Self.endless) end",
      "handshake": "handshake = function(node, conn) conn:read(1) \(Self.endless) end",
      "on_disconnect":
        "process_message = function(_, conn) conn:disconnect() end, on_disconnect = function() \(Self.endless) end",
      "decode": """
      codec = codec.custom { decode = function() \(Self.endless) end, encode = function(m) return m end },
      process_message = print
      """,
      "codec": "codec = function(node, conn) \(Self.endless) end",
    ]
    try await withNodes { nodes in
      let server = try await nodes.start(
        "local codec = require 'moonpeer.codec' return { config = { script_time = '300ms' }, \(codes[hook]!) }")
      let client = try await nodes.start("return {}")
      #expect(
        try await client.lua(
          "local conn = assert(node:open(...)) conn:write 'x\\n' local _, why = conn:receive('10s') return why", server.at)
          == "closed")
      try await eventually("it is counted") { await server.node.heuristics().budgetKills == 1 }
      try await eventually("its place is free") {
        try await server.lua("return node:counts()") == ["connected": 0, "connecting": 0]
      }
      #expect(nodes.log.lines.filter { $0.level == .error && $0.metadata["kind"] == "budget" }.count == 1)
    }
  }

  @Test(arguments: ["timer", "task"])
  func `Beside connections it is logged and counted, and the node lives on`(hook: String) async throws {
    try await withNodes { nodes in
      let start = hook == "timer" ? "node:after(0, function() \(Self.endless) end)" : "node:spawn(function() \(Self.endless) end)"
      let node = try await nodes.start(script("init = function(node) \(start) end"))
      try await eventually("it is counted") { await node.node.heuristics().budgetKills == 1 }
      #expect(try await node.lua("return 'alive'") == "alive")
    }
  }

  @Test func `In a call it is raised at the caller, in a joined task at the join`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(script("calls = { forever = function() \(Self.stubborn) end }"))
      let error = await failure { _ = try await node.call("forever") }
      #expect(error?.code == .budget)
      #expect(error?.kind == "budget")
      let kind = try await node.lua(
        "local ok, e = pcall(function() node:spawn(function() \(Self.endless) end):join() end) return e.kind")
      #expect(kind == "budget")
    }
  }

  @Test func `In init the node does not start; at the top level it does not load`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.load(script("init = function() \(Self.bomb) end"))
      let start = await failure { try await node.start() }
      #expect(start?.code == .budget)
      #expect(start?.hook == "init")
      let load = await failure {
        _ = try await nodes.load("\n" + Self.endless) { $0.configuration = [("script_time", .string("300ms"))] }
      }
      #expect(load?.code == .budget)
      #expect(load?.location == "test.lua:2")
    }
  }

  @Test func `In on_shutdown it does not hold the shutdown up`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(script("on_shutdown = function() \(Self.stubborn) end"))
      await node.shutDown()
      #expect(nodes.log.lines.filter { $0.metadata["kind"] == "budget" }.count == 1)
    }
  }

  @Test func `A run that waits is not one run: each part has its own time`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { script_time = '300ms' } }")
      #expect(
        try await node.lua(
          """
          for _ = 1, 8 do
            local stop = os.clock() + 0.05
            while os.clock() < stop do end
            node:sleep(0)
          end
          return "done"
          """) == "done")
    }
  }

  @Test func `A node that keeps its memory full still answers, refuses and shuts down`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(), config = { script_memory = "2MiB" },
          on_connect = function(node, conn) node:sleep("1h") end,
          process_message = function(node, conn, message) conn:send(message .. message) end,
          on_disconnect = function() end }
        """)
      let fill =
        "node.state.hold = node.state.hold or {} while true do table.insert(node.state.hold, ('x'):rep(...) .. #node.state.hold) end"
      for size in [10_000, 1000, 100, 10] {
        let error = await failure { try await server.lua(fill, .integer(Int64(size))) }
        #expect(error?.code == .budget)
      }
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      // Whatever becomes of each, the process and the other node are not harmed.
      for _ in 1...50 {
        try await client.lua(
          "local c = node:connect(...) if c then c:request(('y'):rep(5000), { timeout = '20ms' }) node:disconnect(c) end",
          server.at)
      }
      _ = await failure { try await server.lua("for i = 1, 500 do node:spawn(function() node:sleep('1h') end) end") }
      await server.shutDown()
      #expect(await server.node.counts == (0, 0))
    }
  }

  @Test func `A crowd of tasks over the memory ends with the run that made it; the node lives on`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { script_memory = '4MiB' } }")
      for _ in 1...2 {
        let error = await failure {
          try await node.lua("while true do pcall(node.spawn, node, function() node:sleep('1h') end) end")
        }
        #expect(error?.code == .budget)
        let words = ["needs more than script_memory; the ", " tasks that had not started yet are ended with it"]
        #expect(words.allSatisfy { error?.message.contains($0) == true }, "\(String(describing: error))")
        #expect(try await node.lua("return node:spawn(function() return 'alive' end):join()") == "alive")
      }
      #expect(nodes.log.lines.count { $0.level == .error } == 0, "the caller was told, and nobody else")
    }
  }

  @Test func `Who waits for a task that cannot start learns why`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { script_memory = '4MiB' } }")
      let crowd = "node.state.late = node:spawn(print) while true do node:spawn(print) end"
      #expect(await failure { try await node.lua(crowd) }?.code == .budget)
      let problem = try await node.lua(
        "local _, e = pcall(node.state.late.join, node.state.late) return e.kind .. node.state.late.status")
      #expect(problem == "budgetfailed")
      #expect(try await node.lua("return node:spawn(function() return 'alive' end):join()") == "alive")
    }
  }

  @Test func `What a bomb took is free again`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { script_memory = '4MiB' } }")
      for _ in 1...5 {
        let error = await failure { try await node.lua(Self.bomb) }
        #expect(error?.code == .budget)
        #expect(error?.message.contains("script_memory") == true)
      }
      #expect(try await node.lua("local t = {} for i = 1, 20000 do t[i] = i .. 'x' end return #t") == 20_000)
    }
  }
}
