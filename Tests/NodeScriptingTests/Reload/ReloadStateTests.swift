import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// What moves to new code, what cannot, and how that is said.
@Suite(.timeLimit(.minutes(1))) struct ReloadStateTests {
  @Test func `Tables stay one table wherever they stood, circles included`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("x"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.lua(
        """
        local conn = node:connections()[1]
        local player = { name = "Ada", at = conn }
        node.state.list, node.state.by_name, node.state.by_conn = { player }, { Ada = player }, { [conn] = player }
        player.self, conn.state.player, node.state.node = node.state, player, node
        node.state.bytes, node.state.float, node.state.whole = "a\\0\\xff", 1.0, 1
        node.state.json = require("moonpeer.json").array {}
        node.state.null = require("moonpeer.json").null
        """)
      try await node.reload(text: answering("x"))
      let code = """
        local conn, state = node:connections()[1], node.state
        local player = state.list[1]
        assert(player.name == "Ada" and state.by_name.Ada == player and state.by_conn[conn] == player, "identity")
        assert(player.self == state and conn.state.player == player and player.at == conn, "circle")
        assert(state.node == node and state.bytes == "a\\0\\xff", "node, bytes")
        assert(math.type(state.float) == "float" and math.type(state.whole) == "integer", "numbers")
        local json = require "moonpeer.json"
        assert(json.encode(state.json) == "[]" and state.null == json.null, "json")
        conn:send "still mine"
        return true
        """
      #expect(try await node.lua(code) == true)
      #expect(try await peer.line() == "still mine")
    }
  }

  @Test func `A handle of a connection that is over stays one that answers closed`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("x"))
      do {
        let peer = try await LinePeer(node)
        _ = try await peer.ask("a")
        try await node.lua("node.state.first = node:connections()[1] node.state.again = { node.state.first }")
      }
      try await eventually("it is gone") { await node.node.counts.connected == 0 }
      let id = try await node.lua("return node.state.first.id")
      try await node.reload(text: answering("x"))
      #expect(try await node.lua("return node.state.first == node.state.again[1]") == true)
      #expect(try await node.lua("return node.state.first.id") == id)
      #expect(try await node.lua("return select(2, node.state.first:send 'x')") == "closed")
    }
  }

  @Test(arguments: [
    ("node.state.peers = { 1, 2, { callback = print } }", "state.peers[3].callback is a function"),
    ("node.state['a b'] = coroutine.create(print)", "state[\"a b\"] is a coroutine"),
    ("node.state.later = node:after(1000, print)", "state.later is a timer"),
    ("node.state[print] = 1", "state[function] is a function"),
    ("node.state.player = setmetatable({}, { __index = {} })", "state.player is a table with a metatable"),
    ("node.state.queue = node:queue()", "state.queue is a queue"),
    ("node:connections()[1].state.cipher = { key = print }", "): state.cipher.key is a function"),
  ])
  func `What cannot move is refused with the way to it, and the old code goes on`(code: String, words: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.lua(code)
      let problem = try #require(await failure { try await node.reload(text: answering("new")) })
      #expect(problem.message.contains(words), "\(problem)")
      #expect(problem.code == .reload)
      let offer = words.hasPrefix(")") ? "offer save_connection and restore_connection" : "offer save and restore"
      #expect(problem.message.contains(offer))
      #expect(try await peer.ask("b") == "b old")
      #expect(await node.node.heuristics().failedReloads == 1)
    }
  }

  @Test func `save and restore take the state over, and know the version they come from`() async throws {
    try await withNodes { nodes in
      let hooks = """
        save = function(state) return { hits = state.count, words = state.words } end,
        save_connection = function(conn) return { conn.id, conn.state.count } end,
        """
      let node = try await nodes.start(answering("old", "version = 7, \(hooks)"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.lua("node.state.words, node.state.f, node:connections()[1].state.f = { 'w' }, print, print")
      try await node.reload(
        text: answering(
          "new",
          """
          version = 8,
          save = function(state) return state.count end,
          restore = function(data, from) return { count = data.hits, from = from, word = data.words[1], f = print } end,
          restore_connection = function(conn, data, from)
            conn.state.count, conn.state.note = data[2], data[1] == conn.id and from
          end,
          """))
      #expect(try await node.lua("return node.state.count .. node.state.from .. node.state.word") == "17w")
      #expect(try await node.lua("return node:connections()[1].state.note") == 7)
      #expect(try await peer.ask("b") == "b new")
      #expect(try await node.lua("return node:connections()[1].state.count") == 2)
    }
  }

  @Test(arguments: [
    ("restore = function() error 'no way' end,", "no way"),
    ("restore = function() end,", "restore must return the new state, a table, got nothing"),
    ("restore = function() require('moonpeer.node'):sleep(1) end,", "cannot wait here"),
    ("restore = function() require('moonpeer.node'):broadcast('x') end,", "do this in a task"),
    ("restore = function() while true do end end, config = { script_time = '50ms' },", "script_time"),
    (
      "restore = function() local t = {} for i = 1, 1e8 do t[i] = i .. '' end end, "
        + "config = { script_memory = '3MiB', script_time = '1h' },", "script_memory"
    ),
    ("restore_connection = function(conn) conn:send 'too early' end,", "do this in a task"),
    ("restore_connection = function(conn) error { kind = 'mine', message = 'mine' } end,", "mine"),
    ("codec = function() error 'no codec' end,", "no codec"),
    ("codec = function() return 5 end,", "the function must return a codec"),
  ])
  func `What fails in the new code's own hooks leaves the old code as it was`(more: String, words: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let problem = try #require(await failure { try await node.reload(text: answering("new", more)) })
      #expect("\(problem)".contains(words), "\(problem)")
      #expect(try await peer.ask("b") == "b old")
      #expect(try await node.lua("return node.state.count") == 2)
      let heuristics = await node.node.heuristics()
      #expect(heuristics.failedReloads == 1)
      #expect(heuristics.reloads == 0)
      #expect(await node.generations().map(\.number) == [1])
    }
  }

  @Test func `An error of save is the reload's, not the node's`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old", "save = function(state) return state.missing.field end,"))
      let peer = try await LinePeer(node)
      let problem = try #require(await failure { try await node.reload(text: answering("new")) })
      #expect(problem.message.contains("attempt to index a nil value"))
      #expect(problem.location?.hasPrefix("test.lua:") == true)
      #expect(try await peer.ask("a") == "a old")
    }
  }

  @Test func `A deep and a large state move whole`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      try await node.lua(
        """
        local at = node.state
        for i = 1, 20000 do at.next = { i = i } at = at.next end
        node.state.list = {}
        for i = 1, 20000 do node.state.list[i] = "entry " .. i end
        """)
      try await node.reload(text: "return {}")
      let code = """
        local at, n = node.state, 0
        while at.next do at, n = at.next, n + 1 assert(at.i == n) end
        for i = 1, 20000 do assert(node.state.list[i] == "entry " .. i) end
        return n + #node.state.list
        """
      #expect(try await node.lua(code) == 40000)
    }
  }
}
