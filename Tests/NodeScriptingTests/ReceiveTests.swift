import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Taking messages by hand: receive in sessions, handshakes, tasks and streams.
@Suite(.onEveryBackend, .serialized, .timeLimit(.minutes(5))) struct ReceiveTests {
  private static let sink = "codec = codec.length_prefixed(), process_message = function() end"
  private static let stream = "local conn = assert(node:open(address, { codec = codec.length_prefixed() }))\n"

  @Test func `receive gives the messages in order, then says closed`() async throws {
    try await inNode(
      Self.stream + """
        for i = 1, 100 do eq(conn:receive(), "m" .. i) end
        local none, why = conn:receive()
        eq(none, nil) eq(why, "closed")
        eq(select(2, conn:receive(1)), "closed")
        """,
      server: """
        codec = codec.length_prefixed(),
        session = function(node, conn) for i = 1, 100 do conn:send("m" .. i) end end
        """)
  }

  @Test(arguments: ["conn:receive()", "pcall(conn.receive, conn)", "pcall(conn.read, conn, 1)", "pcall(conn.send, conn, 'x')"])
  func `A session that takes no notice of the end is ended, for as long as it may run`(ask: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        return { config = { script_time = "1h" }, codec = require "moonpeer.codec".lines(),
          session = function(node, conn) while true do \(ask) end end }
        """)
      try RawClient(try #require(await server.node.address)).close()
      try await eventually("it is over") {
        try await server.lua("return node:heuristics().budget_kills == 1 and node:counts().connected == 0") == .boolean(true)
      }
    }
  }

  @Test(arguments: [
    "codec.lines()", "codec.map(codec.lines(), { decode = function(m) return m end })",
    "codec.framed { header = 1, size = function() return 2 end, decode = function(m) return m:sub(1, 1) end }",
    """
    codec.custom { decode = function(view)
      if #view < 2 then return nil, 2 end
      return view:bytes(1, 1), 2
    end }
    """,
  ])
  func `Once the connection is being closed, a session gets none of the messages that are left`(codec: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return {
          codec = \(codec),
          session = function(node, conn)
            local got = { conn:receive() }
            -- The third is left in the engine's buffer, the second with this script.
            conn:request("?", { match = function(m) return m == "c" end, timeout = 20 })
            conn:disconnect()
            for i = 1, 3 do
              local message, why = conn:receive(i == 3 and 1 or nil)
              got[#got + 1] = message or why
            end
            node.state.got = table.concat(got, " ")
          end,
        }
        """)
      let client = try RawClient(try #require(await server.node.address))
      try await client.write("a\nb\nc\nd\n".utf8)
      try await eventually("the session is over") { try await server.lua("return node.state.got") != .nil }
      #expect(try await server.lua("return node.state.got") == .string("a closed closed closed"))
      client.close()
    }
  }

  @Test func `receive gives up after its time, and the message that comes later is not lost`() async throws {
    try await inNode(
      Self.stream + """
        eq(select(2, conn:receive("2ms")), "timeout") eq(select(2, conn:receive(0)), "timeout")
        conn:send "x"
        eq(conn:receive("20s"), "x")
        conn:send "y" conn:send "z"
        eq(conn:receive(20), "y") eq(conn:receive(20), "z")
        has(raised(conn.receive, conn, "soon"), "conn:receive: timeout")
        """,
      server: "codec = codec.length_prefixed(), process_message = function(node, conn, m) conn:send(m) end")
  }

  @Test func `receive works in a handshake, framed and with what is left for the session`() async throws {
    try await inNode(
      """
      local conn = assert(node:connect(address))
      eq(conn.peer, "server")
      eventually(node, function() return node:call("server", "seen") == "after" end)
      """,
      hooks: """
        codec = codec.length_prefixed { width = 2 },
        handshake = function(node, conn) conn:send "client" conn:send "after" return conn:receive(5) end,
        """,
      server: """
        codec = codec.length_prefixed { width = 2 },
        handshake = function(node, conn) local name = conn:receive(5) conn:send "server" return name end,
        session = function(node, conn)
          local m = conn:receive()
          if conn.peer == "client" then node.state.seen = m end
          conn:receive()
        end,
        calls = { seen = function(node) return node.state.seen end },
        """)
  }

  @Test func `A second reader gets an error of kind busy at its own line`() async throws {
    try await inNode(
      Self.stream + """
        local first = node:spawn(function() return conn:receive() end)
        eventually(node, function() return first.status == "waiting" end)
        for _, read in ipairs { conn.receive, conn.read, conn.read_some, conn.peek } do
          eq(kind_of(read, conn, 1), "busy")
        end
        eq(kind_of(conn.read_until, conn, "x"), "busy")
        has(raised(conn.receive, conn).message, "another task already reads this connection")
        has(raised(function() conn:receive() end).message, "test.lua:")
        first:cancel()
        pcall(first.join, first)
        eq(select(2, conn:receive(0)), "timeout")
        """, server: Self.sink)
  }

  @Test func `Beside a message hook, receive is refused, but not inside it`() async throws {
    try await inNode(
      """
      local conn = assert(node:connect(address))
      eq(kind_of(conn.receive, conn), "busy")
      has(raised(conn.receive, conn).message, "process_message handles this connection's messages")
      eq(kind_of(conn.read, conn, 1), "busy")
      conn:send "go"
      eventually(node, function() return node.state.got == "one two" end)
      """,
      hooks: """
        codec = codec.lines(),
        process_message = function(node, conn, m)
          -- A task of the hook's own may read for it while it waits.
          local two = node:timeout(5, function() return conn:receive() end)
          node.state.got = m .. " " .. two
        end,
        """,
      server: "codec = codec.lines(), process_message = function(node, conn) conn:send 'one' conn:send 'two' end")
  }

  @Test func `A connection closed under a reader wakes it, whoever closes`() async throws {
    let server = """
      codec = codec.length_prefixed(),
      init = function(node) node.state.ends, node.state.begun = {}, 0 end,
      session = function(node, conn)
        node.state.begun = node.state.begun + 1
        local message, why = conn:receive()
        node.state.ends[#node.state.ends + 1] = why
      end,
      calls = {
        begun = function(node) return node.state.begun end,
        ends = function(node) return table.concat(node.state.ends, " ") end,
        close = function(node) for _, conn in ipairs(node:connections()) do conn:disconnect() end end,
        abort = function(node) for _, conn in ipairs(node:connections()) do conn:abort() end end,
      },
      """
    try await inNode(
      """
      local function read(conn, way)
        local task = node:spawn(function()
          if way == "receive" then return select(2, conn:receive()) end
          return kind_of(conn[way], conn, way == "read_until" and "x" or 5)
        end)
        eventually(node, function() return task.status == "waiting" end)
        return task
      end
      local opened = 0
      for _, way in ipairs { "receive", "read", "read_some", "read_until", "peek" } do
        for _, close in ipairs { "here", "here at once", "there", "there at once" } do
          local conn = assert(node:open(address, { codec = codec.length_prefixed() }))
          local task = read(conn, way)
          -- Or the other side hears of the end first, and begins no session.
          opened = opened + 1
          eventually(node, function() return node:call("server", "begun") == opened end)
          if close == "here" then conn:disconnect()
          elseif close == "here at once" then conn:abort()
          elseif close == "there" then
            eventually(node, function() node:call("server", "close") return task.status == "finished" end)
          else
            eventually(node, function() node:call("server", "abort") return task.status == "finished" end)
          end
          eq(task:join(), "closed")
        end
      end
      -- The sessions on the other side saw the same.
      eventually(node, function() return #node:call("server", "ends") == #("closed "):rep(20) - 1 end)
      """, server: server)
  }

  @Test func `A session that returns closes its connection, with that reason`() async throws {
    try await inNode(
      Self.stream + """
        conn:send "bye"
        eq(select(2, conn:receive()), "closed")
        eventually(node, function() return node:call("server", "reason") == "session_ended" end)
        """,
      server: """
        codec = codec.length_prefixed(),
        session = function(node, conn) conn:receive() end,
        on_disconnect = function(node, conn, reason) node.state.reason = reason.kind end,
        calls = { reason = function(node) return node.state.reason end },
        """)
  }

  @Test func `A session that raises closes its connection, and is logged with place and peer`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      Self.stream + """
        conn:send "bye"
        eq(select(2, conn:receive()), "closed")
        eventually(node, function() return node:call("server", "reason") == "script" end)
        """,
      server: """
        codec = codec.length_prefixed(),
        session = function(node, conn) error("no more " .. conn:receive()) end,
        on_disconnect = function(node, conn, reason) node.state.reason = reason.kind end,
        calls = { reason = function(node) return node.state.reason end },
        """, logger: recorder.logger)
    let line = recorder.lines(with: "no more bye").first { $0.level == .error }
    #expect(line?.message.contains("test.lua:3") == true)
    #expect(line?.metadata["hook"] == "session")
    #expect(line?.metadata["peer"]?.hasPrefix("127.0.0.1:") == true)
  }
}
