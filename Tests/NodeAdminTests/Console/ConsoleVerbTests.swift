import LuaHost
import NodeAdmin
import NodeCore
import NodeEngine
import NodeScripting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct `The verbs of the console` {
  private func connected(_ console: TestConsole) async throws {
    let address = await console.nodes[1].node.address!
    _ = try await console.nodes[0].call("connect", [LuaValue("\(address)")])
    try await eventually("both ends") { await console.nodes[1].node.connections().count == 1 }
  }

  private static let listener = """
    local codec = require "moonpeer.codec"
    return { codec = codec.lines(), process_message = function() end, calls = { connect = function(node, address)
      return assert(node:connect(address)).id end, say = function(node, text) return node:broadcast(text) end } }
    """

  @Test func `nodes, connections, stats and disconnect`() async throws {
    try await TestConsole.with([("ear", Self.listener), ("echo", echoScript)]) { console in
      try await connected(console)
      let client = try await console.client()
      #expect(client.greeting["console"] == 1)
      #expect(client.greeting["nodes"] == ["ear", "echo"])
      let nodes = try await client.ask(["line": "nodes"])["result"]?["nodes"]?.list ?? []
      #expect(nodes.map { $0["name"] } == ["ear", "echo"])
      #expect(nodes.map { $0["connected"] } == [1, 1])
      let address = await console.nodes[1].node.address!
      #expect(nodes[1]["addresses"]?.list.first == .string("\(address)"))
      let all = try await client.ask(["line": "connections"])["result"]?["connections"]?.list ?? []
      #expect(all.count == 2)
      let one = try await client.ask(["line": "connections echo"])["result"]?["connections"]?.list ?? []
      #expect(one.count == 1)
      #expect(one.first?["side"] == "responder")
      let id = try #require(one.first?["id"]?.int)
      let stats = try await client.ask(["line": "stats echo"])["result"]?["nodes"]?.list.first
      #expect(stats?["heuristics"]?["script_errors"] == 0)
      #expect(stats?["traffic"]?["messages_sent"] == 0)
      let own = try await client.ask(["line": .string("stats echo \(id)")])["result"]?["connections"]?.list.first
      #expect(own?["id"] == .integer(id))
      #expect(try await client.ask(["line": "disconnect echo 99999"])["error"]?["kind"] == "unknown_connection")
      #expect(try await client.ask(["line": .string("disconnect echo \(id)")])["ok"] == true)
      #expect(await console.nodes[1].node.connections().isEmpty)
    }
  }

  @Test func `tasks shows what waits, for what, and where, also inside the author's coroutines`() async throws {
    let script = """
      return { init = function(node)
        node:spawn(function()
          local inner = coroutine.wrap(function() node:sleep("1h") end)
          inner()
        end)
        local queue = node:queue()
        node:spawn(function() queue:get() end)
      end }
      """
    try await TestConsole.with([("idle", script)]) { console in
      var tasks: [JSONValue] = []
      try await eventually("both tasks") {
        tasks = try await console.ask("tasks")["result"]?["tasks"]?.list ?? []
        return tasks.count == 2
      }
      let text = tasks.map(\.line).joined(separator: "\n")
      #expect(tasks.contains { $0["traceback"]?.text?.contains("idle.lua:3") == true }, "\(text)")
      #expect(tasks.contains { $0["traceback"]?.text?.contains("idle.lua:7") == true }, "\(text)")
      #expect(tasks.contains { $0["waits_for"]?.text?.contains("sleep") == true }, "\(text)")
      #expect(tasks.allSatisfy { ($0["seconds"]?.double ?? -1) >= 0 && $0["node"] == "idle" }, "\(text)")
    }
  }

  @Test func `trace shows messages in both directions as the codec gives them, and no more once it is over`() async throws {
    try await TestConsole.with([("ear", Self.listener), ("echo", echoScript)]) { console in
      try await connected(console)
      let client = try await console.client()
      let id = try #require(try await client.ask(["line": "connections echo"])["result"]?["connections"]?.list.first?["id"]?.int)
      let trace = client.send(["line": .string("trace echo \(id)")])
      // A second client, so that the answer does not hide in the trace.
      try await eventually("the trace") {
        _ = try await console.nodes[0].call("say", ["hello"])
        return client.hasInput
      }
      var seen: [JSONValue] = []
      while seen.count < 2, let line = try await client.next() {
        #expect(line["id"] == .integer(trace))
        if let event = line["event"] { seen.append(event) }
      }
      #expect(seen.map { $0["direction"] } == ["received", "sent"])
      #expect(seen.map { $0["message"] } == ["\"hello\"", "\"echo hello\""])
      let cancel = client.send(["cancel": .integer(trace)])
      #expect(try await client.answer(to: trace)["result"]?["kind"] == "trace")
      _ = cancel
      // As it was: the messages go on, unseen.
      let before = await console.nodes[1].node.statistics().messagesReceived
      _ = try await console.nodes[0].call("say", ["again"])
      try await eventually("the message") { await console.nodes[1].node.statistics().messagesReceived > before }
    }
  }

  @Test func `a trace goes on after a reload and after a rollback, and says so`() async throws {
    try await TestConsole.with([("ear", Self.listener), ("echo", echoScript)]) { console in
      try await connected(console)
      let client = try await console.client()
      let id = try #require(try await client.ask(["line": "connections echo"])["result"]?["connections"]?.list.first?["id"]?.int)
      let trace = client.send(["line": .string("trace echo \(id)")])
      var seen: [JSONValue] = []
      /// The trace's next events, so many that there are this many without what was said before it began.
      func events(until count: Int) async throws {
        while seen.count < count, let line = try await client.next() {
          #expect(line["id"] == .integer(trace) && line["ok"] == nil, "\(line)")
          if let event = line["event"] { seen.append(event) }
        }
      }
      try await eventually("the trace") {
        _ = try await console.nodes[0].call("say", ["hello"])
        return client.hasInput
      }
      let bad = echoScript.replacing(
        "return {",
        with: """
          return {
            restore = function(state)
              require "moonpeer.node":spawn(function() error "bad" end)
              return state
            end,
          """)
      // Messages of the beginning may still be on their way.
      try await console.nodes[1].reload(
        ScriptSource(name: "echo.lua", text: echoScript.replacing("echo \"", with: "new \"")))
      _ = try await console.nodes[0].call("say", ["again"])
      while seen.last?["message"] != "\"new again\"" { try await events(until: seen.count + 1) }
      let move = try #require(seen.firstIndex { $0["direction"] == "none" })
      #expect(seen[move]["generation"] == 2)
      #expect(seen[..<move].allSatisfy { $0["message"]?.text?.contains("hello") == true }, "\(seen)")
      #expect(seen[(move + 1)...].contains { $0["direction"] == "received" && $0["message"] == "\"again\"" }, "\(seen)")
      seen = []
      try await console.nodes[1].reload(ScriptSource(name: "echo.lua", text: bad))
      guard case .rolledBack = await console.nodes[1].probation() else {
        Issue.record("not rolled back")
        return
      }
      _ = try await console.nodes[0].call("say", ["once more"])
      try await events(until: 4)
      // The code between has not proved itself, so it is not what comes back.
      #expect(seen.map { $0["generation"] } == [3, 1, nil, nil], "\(seen)")
      #expect(seen.suffix(2).map { $0["message"] } == ["\"once more\"", "\"echo once more\""], "\(seen)")
      _ = client.send(["cancel": .integer(trace)])
      #expect(try await client.answer(to: trace)["result"]?["kind"] == "trace")
    }
  }

  @Test func `a trace of a flood shows a bounded number, counts the rest, and ends with its connection`() async throws {
    try await TestConsole.with([("ear", Self.listener), ("echo", echoScript)]) { console in
      try await connected(console)
      let client = try await console.client()
      let id = try #require(try await client.ask(["line": "connections ear"])["result"]?["connections"]?.list.first?["id"]?.int)
      let trace = client.send(["line": .string("trace ear \(id)")])
      try await eventually("the trace") {
        _ = try await console.nodes[0].call("say", ["first"])
        return client.hasInput
      }
      _ = try await console.nodes[0].evaluate("for i = 1, 5000 do node:broadcast('x') end")
      #expect(await console.nodes[0].node.disconnect(.init(rawValue: UInt64(id))))
      var shown = 0
      var leftOut: Int64 = 0
      while let line = try await client.next() {
        if let event = line["event"] {
          shown += 1
          leftOut += event["left_out"]?.int ?? 0
        } else if line["id"] == .integer(trace) {
          leftOut += line["result"]?["left_out"]?.int ?? 0
          break
        }
      }
      #expect(shown < 5000)
      #expect(Int64(shown) + leftOut >= 5001)
    }
  }

  @Test func `loglevel, use, help, quit and reload`() async throws {
    try await TestConsole.with([("echo", echoScript), ("other", echoScript)]) { console in
      let client = try await console.client()
      #expect(try await client.ask(["line": "loglevel echo debug"])["ok"] == true)
      #expect(try await client.ask(["line": "loglevel error"])["ok"] == true)
      #expect(console.levels.set.withLock { $0 } == ["echo debug", "all error"])
      #expect(try await client.ask(["line": "loglevel loud"])["error"]?["kind"] == "usage")
      #expect(try await client.ask(["line": "use other"])["result"]?["node"] == "other")
      #expect(try await client.ask(["line": "use ohter"])["error"]?["message"]?.text?.contains("did you mean \"other\"") == true)
      let surplus = try await client.ask(["line": "nodes other extra"])["error"]?["message"]
      #expect(surplus == "nodes: \"other\" is too much here")
      #expect(try await client.ask(["line": "help"])["result"]?["verbs"]?.list.count == ConsoleVerb.allCases.count)
      #expect(try await client.ask(["line": "quit"])["result"]?["kind"] == "quit")
      // Their scripts are no files.
      #expect(try await client.ask(["line": "reload echo"])["ok"] == false)
      #expect(
        try await client.ask(["line": "reload echo /nowhere/x.lua"])["error"]?["message"]?.text?.contains("/nowhere/x.lua")
          == true)
      #expect(try await client.ask(["line": "1 + 1"])["error"]?["kind"] == "unknown_node")
      #expect(try await client.ask(["line": "1 + 1", "node": "echo"])["result"]?["values"] == ["2"])
    }
  }

  @Test func `completion knows verbs, nodes, methods and the fields of tables, and runs nothing`() async throws {
    let script = """
      counted = 0
      return { init = function(node)
        node.state.users = { ada = 1, adam = 2 }
        node.state.trap = setmetatable({}, { __index = function() counted = counted + 1 end })
      end }
      """
    try await TestConsole.with([("one", script)]) { console in
      func words(_ line: String) async throws -> [String] {
        try await console.ask(["complete": .string(line)])["result"]?["words"]?.list.compactMap(\.text) ?? []
      }
      let verbs = try await words("con")
      #expect(verbs == ["connections"])
      #expect(try await words("stats o") == ["one"])
      #expect(try await words("node:cou") == ["node:counts"])
      #expect(try await words("x = node.state.users.ad") == ["node.state.users.ada", "node.state.users.adam"])
      #expect(try await words("conn:disc") == ["conn:disconnect"])
      #expect(try await words("string.fo") == ["string.format"])
      #expect(try await words("node.state.trap.x.y") == [])
      #expect(try await words("nothing.at.all") == [])
      #expect(try await console.ask("counted")["result"]?["values"] == ["0"])
    }
  }
}
