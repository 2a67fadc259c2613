import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// Each step of a reload made to fail, and the node watched from outside.
///
/// | where it fails | test |
/// |---|---|
/// | reading the file: gone, half written, deleted and made anew, a module of it | `ReloadTests`, `ReloadCommandTests` (CLI) |
/// | loading: syntax, top level, its table, arguments, settings, budgets | here, `points` |
/// | waiting: a hook, a call or `on_connect` that does not end; the node stops | here, `ReloadWaitingTests` |
/// | making handles, codecs, timers, the swap | here, `steps` and `points` |
/// | `save`, `save_connection`: errors, budgets, sending, what cannot move | here, `points`; `ReloadStateTests` |
/// | `restore`, `restore_connection`: errors, budgets, sending, what could never move on | here, `points`; `ReloadStateTests` |
/// | a connection in its handshake, in a session, in `on_disconnect`, a stream | `ReloadStayingTests` |
/// | another reload | here, `ReloadTests` |
/// | after the swap: script errors, budgets, `decode`; the rollback itself | `ProbationTests`, `RollbackTests` |
@Suite(.timeLimit(.minutes(1))) struct ReloadFaultTests {
  static let steps: [ReloadStep] = [.load, .handle, .save, .restore, .bind, .timers, .swap]

  @Test(arguments: steps)
  func `A step that fails is not noticed from outside`(step: ReloadStep) async throws {
    try await withNodes { nodes in
      let hooks = """
        on_connect = function(node, conn) node.state.met = (node.state.met or 0) + 1 end,
        on_disconnect = function(node) node.state.left = (node.state.left or 0) + 1 end,
        timers = { tick = { every = "1ms", run = function(node) node.state.ticks = (node.state.ticks or 0) + 1 end } },
        """
      let node = try await nodes.start(answering("old", hooks))
      let peers = [try await LinePeer(node), try await LinePeer(node)]
      for peer in peers { try await peer.sendNumbers(20) }
      try await eventually("they are there") { await node.node.counts.connected == 2 }
      let bound = node.generations
      await onLoop(of: node) {
        bound.value.onStep = { met throws(ScriptError) in
          if met == step { throw ScriptError(code: .reload, message: "made to fail at \(step)") }
        }
      }
      for peer in peers { try await peer.sendNumbers(20) }
      let problem = try #require(await failure { try await node.reload(text: answering("new", hooks)) })
      #expect(problem.message == "made to fail at \(step)")
      for peer in peers { try await peer.sendNumbers(20) }
      for peer in peers { #expect(try await peer.expectAnswers() == ["old"]) }
      #expect(try await node.lua("return node.state.count") == 120)
      #expect(try await node.lua("return node.state.met") == 2)
      #expect(try await node.lua("return node.state.left").isNil)
      let ticks = try #require(try await node.lua("return node.state.ticks").int)
      try await eventually("the timer goes on") { try await node.lua("return node.state.ticks").int! > ticks }
      #expect(await node.generations().map { [$0.number, $0.connections] } == [[1, 2]])
      await onLoop(of: node) { bound.value.onStep = nil }
      #expect(try await node.reload(text: answering("new", hooks)).moved == 2)
      for peer in peers { #expect(try await peer.ask("x") == "x new") }
    }
  }

  /// Something more of the old script, the new script, and words of the error.
  static let points: [(old: String, new: String, words: String)] = [
    ("", "return {", "near"), ("", "return { restor = 1 }", "unknown key"), ("", "error 'at the top'", "at the top"),
    ("", "while true do end", "script_time"), ("", "return ('x'):rep(1 << 30)", "memory"),
    ("", "return { config = { idle_timeout = 'soon' } }", "idle_timeout"), ("", "return require 'missing'", "was not found"),
    ("", "return { args = { who = { type = 'string', required = true } } }", "who"),
    ("save = function() error 'no save' end,", answering("new"), "no save"),
    ("save = function() while true do end end,", answering("new"), "script_time"),
    (
      "config = { script_memory = '3MiB', script_time = '1h' }, save = function() local t = {} for i = 1, 1e9 do t[i] = i .. '' end end,",
      answering("new"), "script_memory"
    ),
    ("save = function() return { a = { print } } end,", answering("new"), "what save gave.a[1] is a function"),
    ("save = function() return { coroutine.create(print) } end,", answering("new"), "what save gave[1] is a coroutine"),
    ("save = function() require('moonpeer.node'):sleep(1) end,", answering("new"), "cannot wait here"),
    ("save = function() return 5 end,", answering("new"), "a table is expected"),
    ("save = function() require('moonpeer.node'):broadcast('x') end,", answering("new"), "a task that restore starts"),
    ("save = function() require('moonpeer.node'):connections()[1]:send('x') end,", answering("new"), "nothing can be sent"),
    ("save_connection = function(conn) conn:send('x') end,", answering("new"), "in save_connection (peer 127.0.0.1:"),
    ("save_connection = function(conn) conn:try_send('x') end,", answering("new"), "nothing can be sent"),
    ("save_connection = function(conn) conn:write('x\\n') end,", answering("new"), "nothing can be sent"),
    ("save_connection = function(conn) conn:request('x') end,", answering("new"), "nothing can be sent"),
    ("save_connection = function() error 'no connection' end,", answering("new"), "in save_connection (peer 127.0.0.1:"),
    (
      "save_connection = function(conn) return { deep = { rawget(conn, 1) } } end,", answering("new"),
      "what save_connection gave.deep[1] is a userdata"
    ),
    ("", answering("new", "restore = function() error 'no restore' end,"), "no restore"),
    ("", answering("new", "restore = function() return 5 end,"), "test.lua:9: in restore: restore must return the new state"),
    ("", answering("new", "restore = function() while true do end end, config = { script_time = '50ms' },"), "script_time"),
    (
      "",
      answering(
        "new",
        "restore = function() local t = {} for i = 1, 1e9 do t[i] = i .. '' end end, config = { script_memory = '3MiB', script_time = '1h' },"
      ), "script_memory"
    ),
    (
      "", answering("new", "restore = function(s) s.users = setmetatable({}, {}) return s end,"),
      "state.users is a table with a meta"
    ),
    ("", answering("new", "restore = function() require('moonpeer.node'):broadcast('x') end,"), "do this in a task"),
    ("", answering("new", "restore_connection = function(c) c:send 'x' end,"), "in restore_connection (peer 127.0.0.1:"),
    ("", answering("new", "restore_connection = function(c) c.state.f = print end,"), "state.f is a function"),
    ("", answering("new").replacing("codec = codec.lines()", with: "codec = function() error 'no codec' end"), "no codec"),
    ("", answering("new").replacing("codec = codec.lines()", with: "codec = function() return 5 end"), "must return a codec"),
    (
      "on_connect = function(node, conn) if conn.id == 1 then node:sleep('1h') end end, config = { reload_timeout = '50ms' },",
      answering("new"), "on_connect (peer"
    ),
  ]

  @Test(arguments: points)
  func `A peer that goes on sending notices nothing of a reload that fails, and the next one is taken`(
    old: String, new: String, words: String
  ) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old", old))
      let quiet = try await LinePeer(node)
      try await eventually("it is there") { await node.node.counts.connected == 1 }
      let heard = try await watched(node) {
        let problem = try #require(await failure { try await node.reload(text: new) })
        #expect("\(problem)".contains(words), "\(problem)")
      }
      #expect(heard == ["old"])
      #expect(try await quiet.ask("x") == "x old")
      let heuristics = await node.node.heuristics()
      #expect([heuristics.reloads, heuristics.failedReloads, heuristics.scriptErrors, heuristics.budgetKills] == [0, 1, 0, 0])
      #expect(await node.generations().map(\.number) == [1])
      guard !old.contains("save"), !old.contains("on_connect") else { return }
      try await node.reload(text: answering("fixed"))
      #expect(try await quiet.ask("y") == "y fixed")
    }
  }

  @Test func `Of reloads that race, one that fails is in nobody's way`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let heard = try await watched(node) {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          for _ in 0..<5 {
            tasks.addTask { try await node.reload(text: answering("new")) }
            tasks.addTask { #expect(await failure { try await node.reload(text: answering("bad", "restore = error,")) } != nil) }
          }
          try await tasks.waitForAll()
        }
      }
      #expect(heard.allSatisfy { ["old", "new"].contains($0) }, "\(heard)")
      let heuristics = await node.node.heuristics()
      #expect([heuristics.reloads, heuristics.failedReloads] == [5, 5])
      #expect(await node.generations().count == 2)
    }
  }

  @Test(arguments: [
    ("return {", "near"), ("return { nonsense = 1 }", "unknown key"), ("error 'at the top'", "at the top"),
    ("return { args = {}, config = { idle_timeout = 'soon' } }", "idle_timeout"), ("return 5", "must return a table"),
    ("local x = require 'missing' return {}", "module \"missing\" was not found"), ("while true do end", "script_time"),
    ("require('moonpeer.node').state.x = 1 return {}", "moonpeer.node is there once the node starts"),
  ])
  func `Code that is not in order is refused, and its fix is taken`(text: String, words: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old", "config = { script_time = '200ms' },")) {
        $0.configuration = [("script_time", .string("200ms"))]
      }
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let problem = try #require(await failure { try await node.reload(text: text) })
      #expect("\(problem)".contains(words), "\(problem)")
      #expect(nodes.log.lines(with: "reload failed, the code in force stays (generation 1)").count == 1)
      #expect(try await peer.ask("b") == "b old")
      try await node.reload(text: answering("fixed"))
      #expect(try await peer.ask("c") == "c fixed")
      #expect(await node.node.heuristics().failedReloads == 1)
    }
  }

  @Test func `Code that failed to take over is freed`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let bound = node.generations
      let seen = Seen()
      await onLoop(of: node) {
        bound.value.onStep = { step throws(ScriptError) in
          if step == .swap { throw ScriptError(code: .reload, message: "no") }
        }
        bound.value.onStaged = { seen.hooks = $0 }
      }
      _ = await failure { try await node.reload(text: answering("new")) }
      try await eventually("it is freed") { seen.hooks == nil }
      #expect(seen.wasSet)
    }
  }

  private final class Seen: @unchecked Sendable {
    weak var hooks: ScriptHooks? { didSet { wasSet = wasSet || hooks != nil } }
    var wasSet = false
  }
}
