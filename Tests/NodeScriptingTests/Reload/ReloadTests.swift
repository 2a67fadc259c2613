import Foundation
import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// New code in a running node: the same connections, the same state, nothing lost.
@Suite(.onEveryBackend, .timeLimit(.minutes(2))) struct ReloadTests {
  @Test func `The same connection is answered by the new code, and the state is what it was`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("one", "version = 1, init = function(node) node.state.born = 'once' end,"))
      let peer = try await LinePeer(node)
      #expect(try await peer.ask("a") == "a one")
      let report = try await node.reload(
        text: answering("two", "version = 2, init = function(node) node.state.born = 'twice' end,"))
      #expect(report.generation == 2)
      #expect(report.version == 2)
      #expect(report.moved == 1)
      #expect(report.left == 0)
      #expect(report.warnings.isEmpty)
      #expect(try await peer.ask("b") == "b two")
      #expect(try await node.lua("return node.state.born .. node.state.count") == "once2")
      #expect(node.declaration.version == 2)
      let heuristics = await node.node.heuristics()
      #expect(heuristics.reloads == 1)
      #expect(heuristics.failedReloads == 0)
    }
  }

  @Test func `A handle has the id, the addresses, the side, the peer and the counters it had`() async throws {
    try await withNodes { nodes in
      let text = answering(
        "x",
        """
        handshake = function(node, conn) return conn:read_until("\\n") end,
        calls = { look = function(node)
          local conn = node:connections()[1]
          return { conn.id, conn.address, conn.local_address, conn.side, conn.peer, conn.state.count,
            conn:stats().messages_received, node.id, node.name, node.address }
        end },
        """)
      let node = try await nodes.start(text)
      let peer = try await LinePeer(node)
      try await peer.send("Ada")
      _ = try await peer.ask("hello")
      let before = try await node.call("look")
      try await node.reload(text: text)
      #expect(try await node.call("look") == before)
      #expect(before.first?.table?.array[4] == "Ada")
      #expect(await node.node.connections().first?.peer == "Ada")
      _ = try await peer.ask("again")
      #expect(try await node.lua("return node:connections()[1]:stats().messages_received") == 2)
    }
  }

  @Test(arguments: ["codec.lines()", "codec.map(codec.lines(), { decode = function(m) return m end })", customLines])
  func `Many reloads under load lose, double and reorder nothing`(codec: String) async throws {
    try await withNodes { nodes in
      func answering(_ voice: String) -> String {
        NodeScriptingTests.answering(voice).replacing("codec.lines()", with: codec)
      }
      let node = try await nodes.start(answering("1")) { $0.configuration = [("probation", .integer(0))] }
      var peers: [LinePeer] = []
      for _ in 0..<4 { peers.append(try await LinePeer(node)) }
      for generation in 2...31 {
        for peer in peers { try await peer.sendNumbers(50) }
        let report = try await node.reload(text: answering("\(generation)"))
        #expect(report.generation == generation)
        for peer in peers { try await peer.sendNumbers(5) }
        if generation.isMultiple(of: 5) { for peer in peers { try await peer.expectAnswers() } }
      }
      for peer in peers { try await peer.expectAnswers() }
      for peer in peers { #expect(try await peer.ask("end") == "end 31") }
      #expect(try await node.lua("return node.state.count") == .integer(4 * 30 * 55 + 4))
      #expect(await node.node.heuristics().scriptErrors == 0)
    }
  }

  @Test func `Bytes that have arrived are cut by the new code's codec, from a whole message on`() async throws {
    try await withNodes { nodes in
      func text(_ codec: String) -> String {
        """
        local codec = require "moonpeer.codec"
        return { codec = \(codec), process_message = function(node, conn, m) conn:write("<" .. m .. ">\\n") end }
        """
      }
      let node = try await nodes.start(text("codec.lines()"))
      let peer = try await LinePeer(node)
      try await peer.client.write(Array("one\ntw".utf8))
      #expect(try await peer.line() == "<one>")
      try await eventually("the half is there") { await node.node.statistics().messagesReceived == 1 }
      try await node.reload(text: text("codec.fixed(4)"))
      try await peer.client.write(Array("o\n".utf8))
      #expect(try await peer.line() == "<two")
      #expect(try await peer.line() == ">")
      try await node.reload(text: text("function() return codec.map(codec.lines(), { decode = string.upper }) end"))
      #expect(try await peer.ask("three") == "<THREE>")
    }
  }

  @Test func `Declared timers keep their remaining time by name; a shorter period shortens it`() async throws {
    try await withNodes { nodes in
      func text(_ timers: String) -> String { "return { timers = { \(timers) } }" }
      let run = "run = function() end"
      let node = try await nodes.start(text("slow = { every = '1h', \(run) }, gone = { every = '1h', \(run) }"))
      func remaining() async throws -> LuaTable {
        let bound = node.generations
        let values = await onLoop(of: node) { try? bound.value.current.reload("remaining") { _ in } }
        return try #require(values?.first?.table)
      }
      let before = try #require(try await remaining()["slow"].double)
      try await node.reload(text: text("slow = { every = '2h', \(run) }, new = { every = '1h', \(run) }"))
      let after = try await remaining()
      let slow = try #require(after["slow"].double)
      #expect(slow <= before && slow > 0)
      #expect(after["gone"].isNil)
      #expect(try #require(after["new"].double) > 3000)
      try await node.reload(text: text("slow = { every = '1s', \(run) }"))
      #expect(try #require(try await remaining()["slow"].double) <= 1)
    }
  }

  @Test func `Timers of the new code tick, those of the old one do not`() async throws {
    try await withNodes { nodes in
      func text(_ name: String) -> String {
        """
        return { timers = { tick = { every = "2ms", run = function(node)
          node.state.\(name) = (node.state.\(name) or 0) + 1
        end } } }
        """
      }
      let node = try await nodes.start(text("old"))
      try await eventually("the old one ticks") { try await node.lua("return node.state.old or 0").int! > 2 }
      try await node.reload(text: text("new"))
      let old = try await node.lua("return node.state.old")
      try await eventually("the new one ticks") { try await node.lua("return node.state.new or 0").int! > 5 }
      #expect(try await node.lua("return node.state.old") == old)
    }
  }

  @Test func `Tasks end with the code, and their close handlers run; restore starts those of the new one`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return { init = function(node)
          node:spawn(function()
            local guard <close> = setmetatable({}, { __close = function() print "closed" end })
            print "begun"
            node:sleep("1h")
            return guard
          end)
          node:every("1ms", function() node.state.ticks = (node.state.ticks or 0) + 1 end)
        end }
        """)
      // Not yet, where its start took the script's share of a turn.
      try await eventually("the task has begun") { nodes.log.lines(with: "begun").count == 1 }
      try await node.reload(
        text: """
          return { restore = function(state)
            local node = require "moonpeer.node"
            node:spawn(function() state.task = node.address ~= nil and #node:connections() == 0 end)
            return state
          end }
          """)
      #expect(nodes.log.lines(with: "closed").count == 1)
      let ticks = try await node.lua("return node.state.ticks or 0")
      try await eventually("the new task ran") { try await node.lua("return node.state.task") == true }
      #expect(try await node.lua("node:sleep('20ms') return node.state.ticks or 0") == ticks)
      #expect(await node.node.heuristics().scriptErrors == 0)
    }
  }

  @Test func `Reloads asked for at once are carried out one after the other`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("1"))
      let generations = try await withThrowingTaskGroup(of: Int.self) { tasks in
        for index in 2...6 { tasks.addTask { try await node.reload(text: answering("\(index)")).generation } }
        var found: [Int] = []
        for try await generation in tasks { found.append(generation) }
        return found
      }
      #expect(generations.sorted() == [2, 3, 4, 5, 6])
      #expect(await node.node.heuristics().reloads == 5)
    }
  }

  @Test func `Without a source the file is read anew, and the modules it requires`() async throws {
    try await withNodes { nodes in
      let folder = FileManager.default.temporaryDirectory.appending(path: "reload-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let script = folder.appending(path: "main.lua"), module = folder.appending(path: "words.lua")
      let text = "local words = require 'words' return { calls = { word = function() return words.word end } }"
      try Data(text.utf8).write(to: script)
      try Data("return { word = 'old' }".utf8).write(to: module)
      var options = ScriptOptions()
      options.name = "filed"
      let node = try await ScriptedNode.load(
        .file(script.path(percentEncoded: false)), options: options,
        environment: Backend.current.environment(logger: nodes.log.logger))
      try await node.start()
      #expect(try await node.call("word") == ["old"])
      try Data("return { word = 'new' }".utf8).write(to: module)
      try await node.reload()
      #expect(try await node.call("word") == ["new"])
      #expect(await node.files() == [script, module].map { $0.path(percentEncoded: false) })
      try Data("return { word = ".utf8).write(to: module)
      #expect(await failure { try await node.reload() }?.code == .load)
      #expect(try await node.call("word") == ["new"])
      try FileManager.default.removeItem(at: script)
      #expect(await failure { try await node.reload() }?.code == .file)
      #expect(await node.node.heuristics().failedReloads == 2)
      #expect(try await node.call("word") == ["new"])
      await node.shutDown()
    }
  }

  @Test func `Settings take effect at once, but for those that need a restart, which are named`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { idle_timeout = '1m', listener_backlog = 10 } }")
      let report = try await node.reload(
        text: "return { config = { idle_timeout = '2m', max_connections = 7, listener_backlog = 20, listen = 'none' } }")
      #expect(report.warnings.map { $0.prefix { $0 != " " } } == ["config.listen", "config.listener_backlog"])
      #expect(nodes.log.lines(with: "config.listener_backlog takes effect only after a restart").count == 1)
      #expect(try await node.lua("return node.config.idle_timeout") == 120.0)
      #expect(try await node.lua("return node.config.max_connections") == 7)
      #expect(try await node.lua("return node.config.listener_backlog") == 10)
      #expect(await node.node.address != nil)
    }
  }

  @Test func `A warning compares with what the node runs with, however often its file is saved`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { listen = 'none' } }")
      let other = "return { name = 'zed', config = { listener_backlog = 7 } }"
      for _ in 1...2 {
        let report = try await node.reload(text: other)
        #expect(report.warnings.map { $0.prefix { $0 != " " } } == ["config.listen", "config.listener_backlog", "name"])
      }
      #expect(await node.node.address == nil)
      #expect(try await node.reload(text: "return { config = { listen = 'none' } }").warnings.isEmpty)
    }
  }

  @Test func `restore finds the script's metrics, as init does`() async throws {
    try await withNodes { nodes in
      let script = """
        local hits
        local function find(node) hits = node:metric("hits_total", { kind = "counter" }) end
        return {
          init = find,
          restore = function(state) find(require "moonpeer.node") return state end,
          calls = { hit = function() hits:add() end },
        }
        """
      let node = try await nodes.start(script)
      _ = try await node.call("hit")
      try await node.reload(text: script)
      _ = try await node.call("hit")
      #expect(await node.snapshot().node.own.map(\.samples) == [[.init([], .number(2))]])
    }
  }

  @Test func `Reading goes on where the old code had paused it: whoever was to resume it may be gone`() async throws {
    try await withNodes { nodes in
      let more = "calls = { pause = function(node) node:connections()[1]:pause_reading() end },"
      let node = try await nodes.start(answering("old", more))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      _ = try await node.call("pause")
      try await peer.send("b")
      try await node.reload(text: answering("new"))
      #expect(try await peer.line() == "b new")
    }
  }

  @Test func `A lower idle timeout holds for the connections there are`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("x"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.reload(text: answering("x", "config = { idle_timeout = '20ms' },"))
      #expect(try await peer.client.readToEnd().isEmpty)
      #expect(await node.node.heuristics().idleTimeouts == 1)
    }
  }
}
