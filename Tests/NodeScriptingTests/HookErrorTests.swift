import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// An uncaught error has the consequence its hook gives it, is logged with its place, and is counted.
@Suite(.timeLimit(.minutes(5))) struct HookErrorTests {
  private let client = "return { codec = require 'moonpeer.codec'.lines() }"

  private func script(_ more: String) -> String {
    """
    local codec = require "moonpeer.codec"
    return { codec = codec.lines(),
      \(more)
    }
    """
  }

  /// The one line the server logged about the error, and what it counted, after the client sent it a line.
  private func outcome(
    of more: String, _ action: String = "local conn = assert(node:connect(...)) conn:send 'x'", words: String
  ) async throws -> (line: LogLine, heuristics: Heuristics) {
    try await withNodes { nodes in
      let server = try await nodes.start(script(more), name: "server", file: "dir/server.lua")
      let client = try await nodes.start(client)
      try await client.lua(action + " return nil", server.at)
      try await eventually("the error is logged") {
        nodes.log.lines.contains { $0.message.contains(words) && $0.level == .error }
      }
      let lines = nodes.log.lines.filter { $0.message.contains(words) && $0.level == .error }
      #expect(lines.count == 1, "\(lines)")
      // The node lives on.
      #expect(try await server.lua("return 1") == 1)
      return (lines[0], await server.node.heuristics())
    }
  }

  @Test(arguments: [
    ("process_message", "process_message = function(node, conn, message)\n error('bad ' .. message) end"),
    ("session", "session = function(node, conn)\n error('bad ' .. conn:receive()) end"),
    ("on_connect", "on_connect = function(node, conn)\n node:sleep(0) error('bad x') end"),
    ("on_connect", "on_connect = function(node, conn)\n error('bad x') end"),
    ("handshake", "handshake = function(node, conn)\n error('bad ' .. conn:read(1)) end"),
    (
      "on_disconnect", "process_message = function(_, conn) conn:disconnect() end, on_disconnect = function()\n error 'bad x' end"
    ),
  ])
  func `An error of a connection's hook names file, line, hook and peer, with the stack`(hook: String, code: String) async throws
  {
    let dial =
      hook == "handshake"
      ? "local conn = assert(node:open(...)) conn:write 'x'" : "local conn = assert(node:connect(...)) conn:send 'x'"
    let (line, heuristics) = try await outcome(of: code, dial, words: "bad x")
    #expect(line.message.hasPrefix("dir/server.lua:4: in \(hook) (peer 127.0.0.1:"), "\(line.message)")
    #expect(line.metadata["node"] == "server")
    #expect(line.metadata["hook"] == hook)
    #expect(line.metadata["kind"] == "script")
    #expect(line.metadata["peer"]?.hasPrefix("127.0.0.1:") == true)
    #expect(line.metadata["conn"] == "1" && line.metadata["generation"] == "1")
    #expect(line.metadata["traceback"]?.contains("dir/server.lua:4: in") == true)
    #expect(heuristics.scriptErrors == 1)
    #expect(heuristics.budgetKills == 0)
    #expect(heuristics.handshakeFailures == (hook == "handshake" ? 1 : 0))
  }

  @Test(arguments: [
    (
      "timer",
      "timers = { tick = { every = '1h', run = print } }, init = function(node) node:after(0, function()\n error 'bad t' end) end"
    ),
    ("task", "init = function(node) node:spawn(function()\n error 'bad t' end) end"),
    ("on_shutdown", "init = function(node) node:shut_down() end, on_shutdown = function()\n error 'bad t' end"),
  ])
  func `An error beside connections is logged with its place and counted`(hook: String, code: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.load(script(code), file: "dir/server.lua")
      _ = await failure { try await server.start() }
      try await eventually("it is logged") { nodes.log.lines(with: "bad t").count == 1 }
      let line = nodes.log.lines(with: "bad t")[0]
      #expect(line.message == "dir/server.lua:4: in \(hook): bad t")
      #expect(line.metadata["traceback"]?.contains("dir/server.lua:4") == true)
      #expect(await server.node.heuristics().scriptErrors == 1)
    }
  }

  @Test func `After an error in a timer the next tick comes`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return { timers = { tick = { every = "1ms", run = function(node)
          node.state.ticks = (node.state.ticks or 0) + 1
          error "again"
        end } } }
        """)
      try await eventually("ticks") { try await node.lua("return (node.state.ticks or 0) >= 3") == true }
      #expect(await node.node.heuristics().scriptErrors >= 2)
    }
  }

  @Test func `An error in init: the node does not start, its port is free and its name too`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.load(script("init = function()\n error 'no seeds' end"), name: "anna", file: "dir/init.lua")
      let error = await failure { try await node.start() }
      #expect(error?.location == "dir/init.lua:4")
      #expect(error?.message == "no seeds")
      #expect(error?.hook == "init")
      #expect(error?.code == .script)
      #expect(await node.node.address == nil)
      #expect(nodes.directory.names.isEmpty)
    }
  }

  @Test func `An error in a decoder is of kind decode, before any hook sees the message`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return {
          codec = codec.map(codec.lines(), { decode = function(bytes)
            if bytes == "bad" then error "I cannot read this" end
            return bytes
          end, encode = function(text) return text end }),
          process_message = function(node, conn, message) table.insert(node.state, message) end,
          on_disconnect = function(node, conn, reason) table.insert(node.state, reason.kind .. ": " .. reason.message) end }
        """, file: "dir/decoder.lua")
      let client = try await nodes.start(client)
      try await client.lua("local conn = assert(node:connect(...)) conn:send 'good' conn:send 'bad' conn:send 'more'", server.at)
      try await eventually("it has ended") { try await server.lua("return #node.state") == 2 }
      let state = try await server.lua("return node.state").table?.array ?? []
      #expect(state.first == "good")
      #expect(state.last?.text?.hasPrefix("decode: dir/decoder.lua:4: ") == true, "\(state)")
      #expect(state.last?.text?.hasSuffix("I cannot read this") == true, "\(state)")
      let heuristics = await server.node.heuristics()
      #expect(heuristics.decodeErrors == 1)
      #expect(heuristics.scriptErrors == 0)
    }
  }

  @Test func `An error table keeps its kind, and its place is found in the stack`() async throws {
    let (line, _) = try await outcome(
      of: "process_message = function(node, conn, message)\n error { kind = 'policy', message = 'too rude' } end",
      words: "too rude")
    #expect(line.metadata["kind"] == "policy")
    #expect(line.message.hasPrefix("dir/server.lua:4: in process_message"), "\(line.message)")
  }

  @Test(arguments: [
    ("error()", "an error value without a message was raised: a nil"),
    ("error({})", "an error value without a message was raised: a table"),
    ("error(setmetatable({}, { __tostring = function() return 'own words' end }))", "own words"),
    ("error(setmetatable({}, { __tostring = function() error 'twice' end }))", "an error object whose __tostring fails"),
    ("local x = nil .. 'a'", "attempt to concatenate a nil value"),
    ("local x = conn.state.missing.field", "attempt to index a nil value (field 'missing')"),
  ])
  func `Whatever is raised ends in a readable line`(code: String, words: String) async throws {
    let (line, heuristics) = try await outcome(of: "process_message = function(node, conn)\n \(code) end", words: words)
    #expect(line.message.hasPrefix("dir/server.lua:4: in process_message"), "\(line.message)")
    #expect(heuristics.scriptErrors == 1)
  }

  @Test func `Only its own connection ends`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        script("process_message = function(_, conn, m) if m == 'bad' then error 'no' end conn:send(m) end"))
      let good = try await nodes.start(client)
      let bad = try await nodes.start(client)
      try await good.lua("node.state.conn = assert(node:connect(...)) node.state.conn:request 'one'", server.at)
      #expect(try await bad.lua("return select(2, assert(node:connect(...)):request 'bad')", server.at) == "closed")
      #expect(try await good.lua("return node.state.conn:request 'two'") == "two")
    }
  }

  @Test func `A caught error is nobody's business`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        script("process_message = function(_, conn, m) local ok, e = pcall(error, 'caught ' .. m) conn:send(e) end"))
      let client = try await nodes.start(client)
      #expect(try await client.lua("return assert(node:connect(...)):request 'x'", server.at) == "caught x")
      #expect(await server.node.heuristics().scriptErrors == 0)
      #expect(nodes.log.lines(with: "caught").isEmpty)
    }
  }
}
