import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// `conn`: its fields, options and identity; what it answers when it is over.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct ConnHandleTests {
  private let lines = "return { codec = require 'moonpeer.codec'.lines() }"

  @Test func `A connection has one handle for its whole life, fit for a table key`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local seen = {}
        local function note(conn) seen[conn] = (seen[conn] or 0) + 1 end
        return { codec = codec.lines(),
          handshake = function(_, conn) note(conn) end, on_connect = function(_, conn) note(conn) end,
          process_message = function(_, conn) note(conn) end,
          on_disconnect = function(node, conn)
            note(conn)
            node.state.hooks, node.state.handles = seen[conn], 0
            for _ in pairs(seen) do node.state.handles = node.state.handles + 1 end
          end }
        """)
      let client = try await nodes.start(lines)
      try await client.lua("local conn = assert(node:connect(...)) conn:send 'x' conn:disconnect()", server.at)
      try await eventually("it has ended") { try await server.lua("return { node.state.hooks, node.state.handles }") == [4, 1] }
    }
  }

  @Test func `State and peer are the script's; any other name is refused`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(lines)
      let client = try await nodes.start(lines)
      let result = try await client.lua(
        """
        local conn = assert(node:connect(...))
        node.state.conn = conn
        conn.state.count, conn.peer = 1, "server"
        return { conn.state.count, conn.peer, node:connections()[1].peer }
        """, server.at)
      #expect(result == [1, "server", "server"])
      let set = await failure { try await client.lua("node.state.conn.count = 1") }
      #expect(set?.message == "conn.count cannot be set: keep it in conn.state, conn.state.count = …")
      let get = await failure { try await client.lua("local x = node.state.conn.adress") }
      #expect(get?.message.hasPrefix("a conn has no \"adress\"; known: abort, ") == true)
      let call = await failure { try await client.lua("node.state.conn:sned('x')") }
      #expect(call?.message == "a conn has no \"sned\"; did you mean \"send\"?")
    }
  }

  @Test func `After its end every call answers, and none hangs`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(lines)
      let client = try await nodes.start(lines)
      try await client.lua(
        """
        local conn = assert(node:connect(...))
        node:disconnect(conn)
        node.state.conn = conn
        """, server.at)
      let answers: [(String, [LuaValue])] = [
        ("send('x')", [.nil, "closed"]), ("try_send('x')", [.nil, "closed"]), ("flush()", [.nil, "closed"]),
        ("receive()", [.nil, "closed"]), ("request('x')", [.nil, "closed"]), ("stats()", [.nil]),
        ("pause_reading()", []), ("resume_reading()", []), ("disconnect()", [false]), ("abort()", [false]),
      ]
      for (code, answer) in answers {
        #expect(try await client.evaluate("return node.state.conn:\(code)") == answer, "\(code)")
      }
      for code in ["read(1)", "read_some()", "read_until('x')", "peek(1)", "write('x')", "set_option('nodelay', true)"] {
        let error = await failure { try await client.lua("local x = node.state.conn:\(code)") }
        #expect(error?.kind == "closed", "\(code)")
        #expect(error?.location == "(code):1", "\(code)")
      }
      #expect(try await client.lua("return tostring(node.state.conn):find('initiator') ~= nil") == true)
      #expect(try await client.lua("return node:disconnect(node.state.conn)") == false)
    }
  }

  @Test func `A method called without its conn says so`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(lines)
      let client = try await nodes.start(lines)
      try await client.lua("node.state.conn = assert(node:connect(...))", server.at)
      for name in [
        "send", "try_send", "flush", "receive", "request", "read", "read_some", "read_until", "peek", "write", "stats",
        "set_option", "pause_reading", "resume_reading", "disconnect", "abort",
      ] {
        let error = await failure { try await client.lua("local x = node.state.conn.\(name)('x')") }
        #expect(
          error?.message.contains("call it with a colon, on a conn; got string") == true,
          "\(name): \(error?.description ?? "no error")")
        #expect(error?.location == "(code):1", "\(name): \(error?.description ?? "no error")")
      }
    }
  }

  @Test func `Socket options are set, and a wrong one is refused with the nearest`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(lines)
      let client = try await nodes.start(lines)
      try await client.lua("node.state.conn = assert(node:connect(...))", server.at)
      for code in ["'nodelay', false", "'nodelay', true", "'keepalive', true", "'send_buffer', 65536", "'receive_buffer', 65536"]
      {
        #expect(try await client.lua("return node.state.conn:set_option(\(code))") == true, "\(code)")
      }
      let cases = [
        ("'nodelai', true", "there is no option \"nodelai\"; did you mean \"nodelay\"?"),
        ("'nodelay', 'yes'", "nodelay takes true, false or a size in bytes"), ("'nodelay'", "nodelay cannot be n"),
        ("5", "an option's name is expected"),
      ]
      for (code, words) in cases {
        let error = await failure { try await client.lua("local x = node.state.conn:set_option(\(code))") }
        #expect(error?.message.contains(words) == true, "\(code): \(error?.description ?? "no error")")
        #expect(error?.location == "(code):1")
      }
    }
  }

  @Test func `A connection has its own statistics`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        "return { codec = require 'moonpeer.codec'.lines(), process_message = function(_, conn, m) conn:send(m .. m) end }")
      let client = try await nodes.start(lines)
      let stats = try await client.lua(
        """
        local conn = assert(node:connect(...))
        conn:request "ab"
        conn:request "cd"
        local s = conn:stats()
        return { s.messages_sent, s.bytes_sent, s.messages_received, s.bytes_received, s.created_at > 1e9 }
        """, server.at)
      #expect(stats == [2, 4, 2, 8, true])
    }
  }
}
