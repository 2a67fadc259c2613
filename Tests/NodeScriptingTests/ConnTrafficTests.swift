import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Sending against back-pressure, and closing with something still to send.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct ConnTrafficTests {
  /// Takes nothing until told to.
  private let sink = """
    local codec = require "moonpeer.codec"
    return { codec = codec.length_prefixed { max = "8MiB" }, config = { idle_timeout = 0 },
      on_connect = function(node, conn)
        if not node.state.open then conn:pause_reading() end
      end,
      process_message = function(node, conn, message) node.state.got = (node.state.got or 0) + 1 end,
      calls = { open = function(node)
        node.state.open = true
        for _, conn in ipairs(node:connections()) do conn:resume_reading() end
      end } }
    """
  private let source =
    "return { codec = require 'moonpeer.codec'.length_prefixed { max = '8MiB' }, config = { outbound_high_water = '64KiB', outbound_low_water = '16KiB' } }"

  @Test func `A send parks over the high-water mark and goes on when the peer reads`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(sink)
      let client = try await nodes.start(source)
      // What the kernel's buffers take is not known, so: until a send has parked.
      try await client.lua(
        """
        local conn = assert(node:connect(...))
        node.state.conn, node.state.sent = conn, 0
        node.state.sender = node:spawn(function()
          local block = ("x"):rep(1 << 16)
          for _ = 1, 400 do
            assert(conn:send(block))
            node.state.sent = node.state.sent + 1
          end
        end)
        """, server.at)
      try await eventually("the sender waits") {
        let before = try await client.lua("return node.state.sent")
        let state = try await client.lua("node:sleep('20ms') return node.state.sender.status")
        let after = try await client.lua("return node.state.sent")
        return state == "waiting" && before == after
      }
      #expect(try await client.lua("return node.state.sent < 400") == true)
      _ = try await server.call("open")
      try await client.lua("node.state.sender:join()")
      try await eventually("all arrived") { try await server.lua("return node.state.got") == 400 }
    }
  }

  @Test func `What waits to be sent stays whole though nobody else holds it; what is called off is not sent`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        sink.replacing("node.state.got = (node.state.got or 0) + 1", with: "node.state.last = message"))
      let client = try await nodes.start(source)
      try await client.lua(
        """
        local conn, block, senders = assert(node:connect(...)), ("x"):rep(8 << 20), {}
        -- More than the kernel's buffers take, whatever they are.
        for _ = 1, 4 do node:spawn(function() conn:send(block) end) end
        node:sleep(0)
        for i = 1, 20 do
          senders[i] = node:spawn(function() return conn:send(tostring(i):rep(5000)) end)
        end
        node:sleep(0)
        senders[20]:cancel()
        -- Collected many times over, and its memory given to others.
        for i = 1, 2000 do block = tostring(i):rep(5000) end
        node.state.senders = senders
        """, server.at)
      for index in 1..<20 {
        #expect(try await client.lua("return node.state.senders[\(index)].status") == "waiting")
      }
      _ = try await server.call("open")
      #expect(try await client.lua("for i = 1, 19 do assert(node.state.senders[i]:join()) end return true") == true)
      #expect(try await client.lua("return node.state.senders[20].status") == "cancelled")
      let last = "return node.state.last == tostring(19):rep(5000)"
      try await eventually("the last one arrived") { try await server.lua(last) == true }
    }
  }

  @Test func `try_send never parks: full at eight times the mark`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(sink)
      let client = try await nodes.start(source)
      let outcome = try await client.lua(
        """
        local conn = assert(node:connect(...))
        local block = ("x"):rep(1 << 16)
        for i = 1, 10000 do
          local ok, why = conn:try_send(block)
          if not ok then return { why, node:broadcast(block) } end
          if i % 8 == 0 then node:sleep(0) end
        end
        """, server.at)
      #expect(outcome == ["full", 0])
    }
  }

  @Test func `A waiting send, flush and read learn that the connection is over`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(sink)
      let client = try await nodes.start(source)
      let outcome = try await client.lua(
        """
        local conn = assert(node:connect(...))
        -- Until the kernel takes no more either.
        repeat
          while conn:try_send(("x"):rep(1 << 16)) do end
        until not pcall(node.timeout, node, "200ms", conn.flush, conn)
        local tasks = {
          node:spawn(function() return select(2, conn:send("more")) end),
          node:spawn(function() return select(2, conn:flush()) end),
          node:spawn(function() return select(2, conn:receive()) end),
          node:spawn(function() local _, e = pcall(conn.write, conn, "raw") return e.kind end),
        }
        node:sleep(0)
        conn:abort()
        for i, task in ipairs(tasks) do tasks[i] = task:join() end
        return tasks
        """, server.at)
      #expect(outcome == ["closed", "closed", "closed", "closed"])
    }
  }

  @Test func `A peer that reads nothing for write_timeout is cut: write_timeout at the flush and in the reason`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(sink)
      let client = try await nodes.start(
        """
        return { codec = require 'moonpeer.codec'.length_prefixed { max = '8MiB' }, config = { write_timeout = "50ms" },
          on_disconnect = function(node, conn, reason) node.state.reason = reason.kind end }
        """)
      let outcome = try await client.evaluate(
        """
        local conn = assert(node:connect(...))
        local done, why
        -- Full once is not enough: the kernel may take that yet. In one go, for the time runs as soon as something waits.
        repeat
          while conn:try_send(("x"):rep(1 << 20)) do end
          done, why = conn:flush()
        until not done
        return done, why
        """, [server.at])
      #expect(outcome == [.nil, "write_timeout"])
      try await eventually("the reason") { try await client.lua("return node.state.reason") == "write_timeout" }
      #expect(try await client.lua("return node:heuristics().write_timeouts") == 1)
    }
  }

  @Test func `Flush waits until the kernel has everything`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(sink) { _ in }
      _ = try await server.call("open")
      let client = try await nodes.start(source)
      let outcome = try await client.lua(
        "local conn = assert(node:connect(...)) for i = 1, 50 do conn:send(('x'):rep(i)) end return conn:flush()", server.at)
      #expect(outcome == true)
      try await eventually("all of them") { try await server.lua("return node.state.got") == 50 }
    }
  }

  @Test func `Disconnect sends what is queued first, abort does not`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        return { codec = require 'moonpeer.codec'.length_prefixed { max = '8MiB' },
          process_message = function(node, conn, m) conn.state.got = (conn.state.got or 0) + #m end,
          on_disconnect = function(node, conn, reason) node.state[#node.state + 1] = { conn.state.got, reason.kind } end }
        """)
      let client = try await nodes.start(source)
      try await client.lua(
        "local conn = assert(node:connect(...)) for _ = 1, 60 do conn:try_send(('x'):rep(1000)) end conn:disconnect('done')",
        server.at)
      try await eventually("the first has ended") { try await server.lua("return node.state[1]") == [60_000, "eof"] }
      try await eventually("its address is free") { try await client.lua("return node:counts().connected") == 0 }
      try await client.lua("node.state.conn = assert(node:connect(...)) return nil", server.at)
      // One that is gone before it is accepted is nobody.
      try await eventually("it is accepted") { try await server.lua("return node:counts().connected") == 1 }
      try await client.lua("node.state.conn:abort()")
      try await eventually("the second has ended") {
        try await server.lua("return node.state[2] and node.state[2][2]") == "reset"
      }
    }
  }

  @Test func `Paused reading holds messages back, resumed reading brings them`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(sink)
      let client = try await nodes.start(source)
      try await client.lua("local conn = assert(node:connect(...)) conn:send 'one' conn:send 'two' conn:flush()", server.at)
      try await eventually("it is connected") { try await server.lua("return node:counts().connected") == 1 }
      #expect(try await server.lua("node:sleep('20ms') return node.state.got") == .nil)
      _ = try await server.call("open")
      try await eventually("both come") { try await server.lua("return node.state.got") == 2 }
    }
  }

  @Test func `A message the codec cannot frame is an error at the send, and the connection lives`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        "return { codec = require 'moonpeer.codec'.lines { max = 5 }, process_message = function(_, c, m) c:send(m) end }")
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines { max = 5 } }")
      try await client.lua("node.state.conn = assert(node:connect(...))", server.at)
      let cases = [
        ("send('too long')", "over the codec's max of 5"), ("try_send('too long')", "over the codec's max of 5"),
        ("send('a\\nb')", "a line cannot contain its own delimiter"), ("send({})", "a string of bytes"),
        ("send()", "a string of bytes"), ("write(5)", "a string of bytes"), ("request('too long')", "over the codec's max of 5"),
      ]
      for (code, words) in cases {
        let error = await failure { try await client.lua("local x = node.state.conn:\(code)") }
        #expect(error?.message.contains(words) == true, "\(code): \(error?.description ?? "no error")")
        #expect(error?.location == "(code):1", "\(code): \(error?.description ?? "no error")")
      }
      #expect(try await client.lua("return node.state.conn:request('fine')") == "fine")
    }
  }
}
