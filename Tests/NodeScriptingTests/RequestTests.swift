import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Send, then the matching reply: beside the message hook and inside it.
@Suite(.onEveryBackend, .serialized, .timeLimit(.minutes(5))) struct RequestTests {
  /// Answers "n" with "re:n"; "slow:n" waits for `go`; "hold" keeps later answers back until "flush", then sends them last first.
  private static let server = """
    codec = codec.lines(),
    init = function(node) node.state.gate, node.state.kept = node:queue(), {} end,
    process_message = function(node, conn, m)
      local kept = node.state.kept
      if m == "bye" then return conn:disconnect() end
      if m:find "^keep" then kept[#kept + 1] = m return end
      if m == "flush" then
        for i = #kept, 1, -1 do conn:send("re:" .. kept[i]) end
        node.state.kept = {}
      elseif m:find "^many" then
        for i = 1, tonumber(m:match "%d+") do conn:send("event " .. i) end
        conn:send("re:" .. m)
      else
        conn:send("re:" .. m)
      end
    end,
    """
  private static let client = """
    codec = codec.lines(),
    init = function(node) node.state.events = {} end,
    process_message = function(node, conn, m) table.insert(node.state.events, m) end,
    """
  private static let connect = "local conn = assert(node:connect(address)) local events = node.state.events\n"
  private static let matching =
    "local function ask(m, t) return conn:request(m, { timeout = t or 20, match = function(r) return r == 're:' .. m end }) end\n"

  @Test func `The next message is the reply; the hook does not see it`() async throws {
    try await inNode(
      Self.connect + """
        for i = 1, 20 do eq(conn:request("q" .. i), "re:q" .. i) end
        eq(#events, 0)
        """, hooks: Self.client, server: Self.server)
  }

  @Test func `Messages that do not match go where they would have gone, in order`() async throws {
    try await inNode(
      Self.connect + Self.matching + """
        eq(ask "many 10", "re:many 10")
        eventually(node, function() return #events == 10 end)
        for i = 1, 10 do eq(events[i], "event " .. i) end
        """, hooks: Self.client, server: Self.server)
  }

  @Test func `Many requests at once get their own replies, also in another order`() async throws {
    try await inNode(
      Self.connect + Self.matching + """
        local tasks = {}
        for i = 1, 20 do tasks[i] = node:spawn(function() return ask("keep" .. i) end) end
        node:sleep(0)
        eventually(node, function() return conn:stats().messages_sent == 20 end)
        conn:send "flush"
        for i = 1, 20 do eq(tasks[i]:join(), "re:keep" .. i) end
        eq(#events, 0)
        -- Without a match they are answered in the order they were sent.
        for i = 1, 20 do tasks[i] = node:spawn(function() return conn:request("q" .. i) end) end
        for i = 1, 20 do eq(tasks[i]:join(), "re:q" .. i) end
        """, hooks: Self.client, server: Self.server)
  }

  @Test func `A reply that comes too late is an ordinary message`() async throws {
    try await inNode(
      Self.connect + Self.matching + """
        local none, why = ask("keep1", "5ms")
        eq(none, nil) eq(why, "timeout")
        conn:send "flush"
        eventually(node, function() return events[1] == "re:keep1" end)
        has(raised(conn.request, conn, "x", { timeout = "soon" }), "conn:request: timeout")
        has(raised(conn.request, conn, "x", { macth = print }), 'did you mean "match"?')
        has(raised(conn.request, conn, "x", { match = 5 }), "conn:request: match must be a function")
        """, hooks: Self.client, server: Self.server)
  }

  @Test func `A peer that closes ends every request`() async throws {
    try await inNode(
      Self.connect + Self.matching + """
        local tasks = {}
        for i = 1, 3 do tasks[i] = node:spawn(function() return select(2, ask("keep" .. i)) end) end
        eventually(node, function() return conn:stats().messages_sent == 3 end)
        conn:send "bye"
        for i = 1, 3 do eq(tasks[i]:join(), "closed") end
        eq(select(2, conn:request("x")), "closed")
        """, hooks: Self.client, server: Self.server)
  }

  @Test func `A match that raises fails its own request only`() async throws {
    try await inNode(
      Self.connect + Self.matching + """
        local mark = {}
        local bad = node:spawn(function() return conn:request("keep1", { match = function() error(mark) end }) end)
        eventually(node, function() return conn:stats().messages_sent == 1 end)
        eq(ask "q", "re:q")
        eq(raised(bad.join, bad), mark)
        eq(ask "r", "re:r")
        """, hooks: Self.client, server: Self.server)
  }

  @Test func `A request inside the message hook works, and what came meanwhile follows in order`() async throws {
    try await inNode(
      """
      local conn = assert(node:connect(address))
      conn:send "many 5"
      eventually(node, function() return #node.state.log == 6 end)
      eq(table.concat(node.state.log, ","),
        "event 1=re:ask event 1,event 2=re:ask event 2,event 3=re:ask event 3,event 4=re:ask event 4,"
        .. "event 5=re:ask event 5,re:many 5=re:ask re:many 5")
      """,
      hooks: """
        codec = codec.lines(),
        init = function(node) node.state.log = {} end,
        process_message = function(node, conn, m)
          local reply = conn:request("ask " .. m, { match = function(r) return r == "re:ask " .. m end })
          table.insert(node.state.log, m .. "=" .. tostring(reply))
        end,
        """, server: Self.server)
  }

  @Test func `A request made while the hook waits outlives the hook`() async throws {
    try await inNode(
      Self.connect + Self.matching + """
        conn:send "first"
        eventually(node, function() return node.state.waits end)
        local task = node:spawn(function() return ask("keep1") end)
        eventually(node, function() return task.status == "waiting" end)
        node.state.gate:close()
        eventually(node, function() return node.state.done end)
        conn:send "second"
        eventually(node, function() return events[2] end)
        eq(events[1], "re:first") eq(events[2], "re:second")
        conn:send "flush"
        eq(task:join(), "re:keep1")
        eq(conn:request "third", "re:third") eq(#events, 2)
        """,
      hooks: """
        codec = codec.lines(),
        init = function(node) node.state.events, node.state.gate = {}, node:queue() end,
        process_message = function(node, conn, m)
          table.insert(node.state.events, m)
          node.state.waits = true
          node.state.gate:get()
          node.state.done = true
        end,
        """, server: Self.server)
  }

  @Test func `What was kept for the hook is handled before the peer's end is`() async throws {
    try await inNode(
      """
      local conn = assert(node:connect(address))
      conn:send "go"
      eventually(node, function() return node.state.reason end)
      eq(table.concat(node.state.log, ","), "start,a,b,c") eq(node.state.reason, "eof")
      """,
      hooks: """
        codec = codec.lines(),
        init = function(node) node.state.log = {} end,
        process_message = function(node, conn, m)
          table.insert(node.state.log, m)
          if m == "start" then
            eq(conn:request("x", { match = function(r) return r == "reply" end }), "reply")
            node:sleep("5ms")
          end
        end,
        on_disconnect = function(node, conn, reason) node.state.reason = reason.kind end,
        """,
      server: """
        codec = codec.lines(),
        process_message = function(node, conn, m)
          if m == "go" then conn:send "start" return end
          for _, line in ipairs { "a", "b", "reply", "c" } do conn:send(line) end
          conn:disconnect()
        end
        """)
  }

  @Test func `Too many messages before the reply, and the request is full; none is lost`() async throws {
    try await inNode(
      """
      local conn = assert(node:connect(address))
      conn:send "go"
      eventually(node, function() return #node.state.log >= 101 end)
      eq(node.state.why, "full")
      for i = 1, 100 do eq(node.state.log[i + 1], tostring(i)) end
      """,
      hooks: """
        codec = codec.lines(),
        init = function(node) node.state.log = {} end,
        process_message = function(node, conn, m)
          table.insert(node.state.log, m)
          if m == "start" then node.state.why = select(2, conn:request("x", { match = function() end })) end
        end,
        """,
      server: """
        codec = codec.lines(),
        process_message = function(node, conn, m)
          if m == "go" then conn:send "start" return end
          for i = 1, 100 do conn:send(tostring(i)) end
        end
        """)
  }

  @Test func `receive and requests share a session's connection`() async throws {
    try await inNode(
      """
      local conn = assert(node:open(address, { codec = codec.lines() }))
      local function ask(m) return conn:request(m, { match = function(r) return r == "re:" .. m end }) end
      local got = {}
      local reader = node:spawn(function() while #got < 6 do got[#got + 1] = conn:receive() end end)
      eventually(node, function() return reader.status == "waiting" end)
      local a, b = node:all(function() return ask "many 3" end, function() return ask "many 2" end)
      eq(a, "re:many 3") eq(b, "re:many 2")
      conn:send "last"
      reader:join()
      eq(table.concat(got, ","), "event 1,event 2,event 3,event 1,event 2,re:last")
      """, server: Self.server)
  }
}
