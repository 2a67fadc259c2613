import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// What a rollback comes back to, and what comes with it.
@Suite(.timeLimit(.minutes(2))) struct RollbackTests {
  private func failTask(in node: ScriptedNode) async throws -> ProbationOutcome {
    async let outcome = node.probation()
    try await node.lua("do node:spawn(function() error 'a task fails' end) end")
    return await outcome
  }

  private func expectRollback(of node: ScriptedNode) async throws {
    guard case .rolledBack = try await failTask(in: node) else {
      Issue.record("it was not rolled back")
      return
    }
  }

  @Test func `Code that has proved nothing is never what a rollback comes back to`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("good"))
      let peer = try await LinePeer(node), bad = try await LinePeer(node)
      _ = try await peer.ask("a")
      _ = try await bad.ask("a")
      let broken = answering("bad", "config = { probation = '1h', probation_hooks = 100000 },").replacing(
        "conn:send(", with: "if message == 'break' then error 'broken' end conn:send(")
      try await node.reload(text: broken)
      async let outcome = node.probation()
      try await eventually("it is waited for") { await node.generations().count == 2 }
      // Saved twice, as editors do.
      try await node.reload(text: broken)
      try await node.reload(text: broken)
      let late = try await LinePeer(node)
      #expect(try await late.ask("b") == "b bad")
      #expect(await node.generations().map { [$0.number, $0.isKept ? 1 : 0] } == [[1, 1], [4, 0]])
      try await bad.send("break")
      if case .rolledBack = await outcome {} else { Issue.record("it was not rolled back") }
      #expect(await node.generations().map(\.number) == [1])
      #expect(try await peer.ask("c") == "c good")
      #expect(try await late.ask("c") == "c good")
    }
  }

  @Test func `Where newer code is trusted at once, whoever waits is told, and all code before it is freed`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("one"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.reload(text: answering("two", "config = { probation = '1h' },"))
      async let outcome = node.probation()
      try await eventually("it is waited for") { await node.generations().count == 2 }
      try await node.reload(text: answering("three", "config = { probation = 0 },"))
      #expect(await outcome == .passed)
      #expect(await node.generations().map(\.number) == [3])
    }
  }

  @Test func `Code that cannot be replaced while it is watched is rolled back, so that it is no dead end`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.reload(text: answering("stuck", "save = function() error 'save is broken' end,"))
      #expect(try await peer.ask("b") == "b stuck")
      async let outcome = node.probation()
      #expect(await failure { try await node.reload(text: answering("fixed")) }?.message.contains("save is broken") == true)
      guard case .rolledBack(let why) = await outcome else {
        Issue.record("it was not rolled back")
        return
      }
      #expect(why.contains("it cannot be replaced: "))
      #expect(try await peer.ask("c") == "c old")
      try await node.reload(text: answering("fixed"))
      #expect(try await peer.ask("d") == "d fixed")
    }
  }

  @Test(arguments: [
    ("while true do end", "config = { script_time = '50ms' },", "script_time"),
    (
      "local t = {} for i = 1, 1e9 do t[i] = i .. '' end", "config = { script_memory = '3MiB', script_time = '1h' },",
      "script_memory"
    ),
    ("error { kind = 'mine', message = 'mine' }", "", "mine"), ("conn:send(nil)", "", "conn:send"),
  ])
  func `Whatever ends a hook of the new code brings the old one back`(code: String, more: String, words: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node), bad = try await LinePeer(node)
      _ = try await peer.ask("a")
      _ = try await bad.ask("a")
      try await node.reload(
        text: answering("new", more).replacing("conn:send(", with: "if message == 'break' then \(code) end conn:send("))
      async let outcome = node.probation()
      try await eventually("it is watched") { await node.generations().count == 2 }
      try await bad.send("break")
      guard case .rolledBack(let why) = await outcome else {
        Issue.record("it was not rolled back")
        return
      }
      #expect(why.contains(words), "\(why)")
      #expect(try await peer.ask("b") == "b old")
    }
  }

  @Test func `The timers of the code that is back run, and what its restore starts`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        answering(
          "old",
          """
          timers = { tick = { every = "1ms", run = function(node) node.state.ticks = (node.state.ticks or 0) + 1 end } },
          restore = function(state)
            local node = require "moonpeer.node"
            assert(not pcall(node.broadcast, node, "too early"))
            node:spawn(function() node.state.is_back = true end)
            return state
          end,
          """))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.reload(text: answering("new"))
      try await expectRollback(of: node)
      let ticks = try await node.lua("return node.state.ticks or 0").int!
      try await eventually("it ticks") { try await node.lua("return node.state.ticks or 0").int! > ticks }
      #expect(try await node.lua("return node.state.is_back") == true)
      #expect(nodes.log.lines(with: "the state stays as it was").isEmpty)
    }
  }

  @Test(arguments: [false, true])
  func `Messages that wait for a receive are neither doubled nor lost`(stateIsStuck: Bool) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(settingAside)
      let peer = try await peerWithMessagesSetAside(node)
      #expect(try await node.reload(text: settingAside).warnings.isEmpty)
      #expect(try await node.call("take").first == "first")
      if stateIsStuck { try await node.lua("node.state.stuck = print") }
      try await expectRollback(of: node)
      #expect(nodes.log.lines(with: "the state stays as it was").count == (stateIsStuck ? 1 : 0))
      #expect(try await node.call("take").first == "second")
      try await peer.send("third")
      #expect(try await node.call("take").first == "third")
    }
  }

  @Test func `Messages that another codec has decoded come as they are, and the report says so`() async throws {
    try await withNodes { nodes in
      func text(_ codec: String) -> String {
        """
        local codec = require "moonpeer.codec"
        return { codec = \(codec), calls = {
          pass = function(node)
            return node:connections()[1]:request("go", { match = function(m) return m == "LAST" end })
          end,
          take = function(node) return node:connections()[1]:receive(20) end,
        } }
        """
      }
      let node = try await nodes.start(text("codec.map(codec.lines(), { decode = string.upper })"))
      let peer = try await LinePeer(node)
      try await eventually("it is there") { await node.node.counts.connected == 1 }
      async let last = node.call("pass")
      #expect(try await peer.line() == "go")
      try await peer.send("first\nlast")
      #expect(try await last.first == "LAST")
      let report = try await node.reload(text: text("codec.lines()"))
      #expect(
        report.warnings.map { $0.contains("messages that wait for conn:receive (1) were decoded by the code before") } == [true])
      #expect(try await node.call("take").first == "FIRST")
      try await peer.send("third")
      #expect(try await node.call("take").first == "third")
    }
  }

  @Test func `Where the old code cannot have the connections, the new one stays, and that is said`() async throws {
    try await withNodes { nodes in
      let once = """
        local codec = require "moonpeer.codec"
        local made = 0
        return { codec = function()
          made = made + 1
          if made > 1 then error "no more codecs" end
          return codec.lines()
        end, process_message = function(_, conn, message) conn:send(message .. " old") end }
        """
      let node = try await nodes.start(once)
      let peer = try await LinePeer(node)
      #expect(try await peer.ask("a") == "a old")
      try await node.reload(text: answering("new"))
      let late = try await LinePeer(node)
      #expect(try await late.ask("a") == "a new")
      guard case .kept(let why) = try await failTask(in: node) else {
        Issue.record("the old code is back")
        return
      }
      #expect(why.contains("a task fails") && why.contains("no more codecs"), "\(why)")
      #expect(try await peer.ask("b") == "b new")
      #expect(try await late.ask("b") == "b new")
      #expect(await node.generations().map(\.number) == [2])
      #expect(await node.node.heuristics().rolledBack == 0)
      #expect(nodes.log.lines(with: "the rollback failed, generation 2 stays in force").count == 1)
    }
  }
}
