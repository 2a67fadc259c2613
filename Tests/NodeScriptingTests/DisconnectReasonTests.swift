import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// `on_disconnect`: once for every connection, with the reason it ended for.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct DisconnectReasonTests {
  private let noted = """
    on_disconnect = function(node, conn, reason)
      node.state.count = (node.state.count or 0) + 1
      node.state.kind, node.state.message = reason.kind, reason.message or "none"
    end
    """

  /// What the server's on_disconnect says after the client did `action` with its `conn`.
  private func reason(
    _ server: String, _ action: String, _ client: String = "return { codec = require 'moonpeer.codec'.lines() }"
  ) async throws -> (kind: String, message: String) {
    try await withNodes { nodes in
      let server = try await nodes.start(
        "local codec = require 'moonpeer.codec' return { codec = codec.lines { max = 100 }, \(noted), \(server) }",
        file: "server.lua")
      let client = try await nodes.start(client)
      // The end may come before the client has heard that it is connected.
      try await client.lua("local conn = node:connect(...) node.state.conn = conn \(action)", server.at)
      try await eventually("it has ended") { try await server.lua("return node.state.kind") != .nil }
      try await eventually("it is forgotten") { try await server.lua("return node:counts().connected") == 0 }
      #expect(try await server.lua("return node.state.count") == 1)
      return try await server.lua("return { node.state.kind, node.state.message }").pair
    }
  }

  @Test func `local: this side asked, with its own words`() async throws {
    let end = try await reason("process_message = function(_, conn) conn:disconnect 'enough' end", "conn:send 'x'")
    #expect(end == ("local", "enough"))
  }

  @Test func `local: by an abort`() async throws {
    let end = try await reason("process_message = function(_, conn) conn:abort() end", "conn:send 'x'")
    #expect(end.kind == "local")
  }

  @Test func `eof: the peer closed its side, after its last message was handled`() async throws {
    let end = try await reason(
      "process_message = function(node, conn, m) node:sleep(0) node.state.last = m end", "conn:send 'x' conn:disconnect()")
    #expect(end.kind == "eof")
  }

  @Test func `eof: the peer closed while a session was reading`() async throws {
    let end = try await reason("session = function(node, conn) conn:read(10) end", "conn:write 'abc' conn:disconnect()")
    #expect(end.kind == "eof")
  }

  @Test func `reset: the peer aborted`() async throws {
    // A peer that is gone before it was accepted is never live, so it waits for a word from here.
    let end = try await reason(
      "on_connect = function(node, conn) conn:send 'hi' end, process_message = function() end", "conn:receive() conn:abort()")
    #expect(end.kind == "reset")
  }

  @Test func `idle: no message for idle_timeout`() async throws {
    let end = try await reason("config = { idle_timeout = '20ms' }, process_message = function() end", "")
    #expect(end == ("idle", "no message for 0.02 seconds"))
  }

  @Test func `decode: the bytes are no message`() async throws {
    let end = try await reason("process_message = function() end", "conn:write(('x'):rep(200))")
    #expect(end == ("decode", "a line is over the codec's max of 100 bytes"))
  }

  @Test func `script: the hook raised`() async throws {
    let end = try await reason("process_message = function() error 'no idea' end", "conn:send 'x'")
    #expect(end.kind == "script")
    #expect(end.message.hasPrefix("server.lua:") && end.message.hasSuffix("no idea"), "\(end.message)")
  }

  @Test func `budget: the hook ran too long`() async throws {
    let end = try await reason(
      "config = { script_time = '300ms' }, process_message = function() while true do end end", "conn:send 'x'")
    #expect(end.kind == "budget")
    #expect(end.message.contains("ran longer than script_time"))
  }

  @Test func `session_ended: the session returned`() async throws {
    #expect(try await reason("session = function(node, conn) conn:receive() end", "conn:send 'x'").kind == "session_ended")
  }

  @Test func `shutdown: the node shuts down, and the hook still sends`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        return { codec = require 'moonpeer.codec'.lines(), on_disconnect = function(node, conn, reason)
          print("ends: " .. reason.kind)
          conn:send "goodbye"
        end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await client.lua("node.state.conn = assert(node:connect(...))", server.at)
      try await eventually("both have it") { try await server.lua("return node:counts().connected") == 1 }
      async let last = client.evaluate("local c = node.state.conn return c:receive('5s'), c:receive('5s')")
      await server.shutDown()
      #expect(try await last == ["goodbye", .nil, "closed"])
      #expect(nodes.log.lines(with: "ends: shutdown").count == 1)
    }
  }

  @Test func `The hook runs after the one that ended the connection, not inside it`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        return { codec = require 'moonpeer.codec'.lines(),
          process_message = function(node, conn)
            conn:disconnect()
            table.insert(node.state, "hook ends")
          end,
          on_disconnect = function(node) table.insert(node.state, "on_disconnect") end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await client.lua("assert(node:connect(...)):send 'x'", server.at)
      try await eventually("both") { try await server.lua("return node.state") == ["hook ends", "on_disconnect"] }
    }
  }

  @Test func `It is bounded by on_disconnect_timeout and counted`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        return { config = { on_disconnect_timeout = "20ms" }, on_disconnect = function(node)
          local ok, problem = pcall(node.sleep, node, "1h")
          node.state.problem = problem.kind
        end }
        """)
      #expect(
        try await client.lua("local c = assert(node:connect(...)) node:disconnect(c) return node.state.problem", server.at)
          == "timeout")
      #expect(try await client.lua("return node:heuristics().hook_timeouts") == 1)
      #expect(try await client.lua("return node:heuristics().script_errors") == 0)
      #expect(nodes.log.lines(with: "on_disconnect took longer than").count == 1)
    }
  }

  @Test func `It never runs for a connection that was rejected`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return { handshake = function() error 'no' end, \(noted) }")
      let client = try await nodes.start("return { handshake = function(_, conn) conn:read(1) end, \(noted) }")
      try await client.lua("assert(not node:connect(...))", server.at)
      try await eventually("the server has rejected it") {
        try await server.lua("return node:heuristics().handshake_failures") == 1
      }
      #expect(try await server.lua("return node.state.count") == .nil)
      #expect(try await client.lua("return node.state.count") == .nil)
    }
  }

  @Test func `What still runs for the connection is ended before it`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        return {
          on_connect = function(node, conn)
            local _, problem = pcall(node.sleep, node, "1h")
            table.insert(node.state, problem.kind)
          end,
          on_disconnect = function(node) table.insert(node.state, "on_disconnect") end }
        """)
      #expect(
        try await client.lua("node:disconnect(assert(node:connect(...))) return node.state", server.at)
          == ["closed", "on_disconnect"])
      #expect(try await client.lua("return node:heuristics().script_errors") == 0)
    }
  }
}

extension LuaValue {
  fileprivate var pair: (kind: String, message: String) {
    (table?.array.first?.text ?? "", table?.array.last?.text ?? "")
  }
}
