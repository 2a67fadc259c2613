import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// A task can be called off wherever it waits; what it waited with is free again.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CancellationTests {
  /// Starts `wait` in a task, cancels it once it waits, and expects the error where it waited; then runs `after`.
  private func cancel(_ wait: String, setUp: String = "", after: String = "", server: String? = nil) async throws {
    try await inNode(
      """
      \(setUp)
      local place
      local task = node:spawn(function()
        local ok, cause = pcall(function() \(wait) end)
        place = not ok and type(cause) == "table" and cause.kind or tostring(cause)
        error(cause, 0)
      end)
      eventually(node, function() return task.status == "waiting" end)
      eq(task:cancel(), true)
      eq(kind_of(task.join, task), "cancelled")
      eq(place, "cancelled") eq(task.status, "cancelled")
      \(after)
      """, server: server)
  }

  private static let echo =
    "process_message = function(node, conn, m) conn:send(m) end, codec = codec.length_prefixed()"

  @Test func `in sleep`() async throws { try await cancel("node:sleep('1h')") }

  @Test func `in join`() async throws {
    try await cancel(
      "other:join()", setUp: "local other = node:spawn(function() node:sleep('1h') end)",
      after: "eq(other.status, 'waiting') other:cancel()")
  }

  @Test func `in a queue's get, which loses nothing`() async throws {
    try await cancel(
      "queue:get()", setUp: "local queue = node:queue()",
      after: "queue:put(1) eq(queue:get(), 1) eq(queue:len(), 0)")
  }

  @Test func `in a queue's put, which adds nothing`() async throws {
    try await cancel(
      "queue:put(2)", setUp: "local queue = node:queue(1) queue:put(1)",
      after: "eq(queue:get(), 1) eq(queue:len(), 0) eq(queue:try_put(3), true)")
  }

  @Test func `in all and any, which end what they started`() async throws {
    let own = "local ended = 0 local function own() local ok, e = pcall(node.sleep, node, '1h') ended = ended + 1 error(e) end"
    let after = "eventually(node, function() return ended == 2 end)"
    try await cancel("node:all(own, own)", setUp: own, after: after)
    try await cancel("node:any(own, own)", setUp: own, after: after)
    try await cancel("node:timeout('1h', own)", setUp: own, after: "eventually(node, function() return ended == 1 end)")
  }

  @Test func `in receive, after which another may read`() async throws {
    try await cancel(
      "conn:receive()", setUp: "local conn = assert(node:open(address, { codec = codec.length_prefixed() }))",
      after: "conn:send 'x' eq(conn:receive(), 'x')", server: Self.echo)
  }

  @Test func `in a raw read, which takes nothing`() async throws {
    try await cancel(
      "conn:read(100)", setUp: "local conn = assert(node:open(address)) conn:write('\\0\\0\\0\\1x')",
      after: "eq(conn:read(5), '\\0\\0\\0\\1x')", server: Self.echo)
    try await cancel(
      "conn:read_until('$')", setUp: "local conn = assert(node:open(address)) conn:write('\\0\\0\\0\\1x')",
      after: "eq(conn:read(5), '\\0\\0\\0\\1x')", server: Self.echo)
  }

  @Test func `in a request, whose reply then goes elsewhere`() async throws {
    try await cancel(
      "conn:request('never', { timeout = '1h', match = function(m) return m == 'other' end })",
      setUp: "local conn = assert(node:open(address, { codec = codec.length_prefixed() }))",
      after: "conn:send 'x' eventually(node, function() return conn:receive() == 'x' end)", server: Self.echo)
  }

  @Test func `in send over the high-water mark, which sends nothing more`() async throws {
    try await cancel(
      "while true do sent = sent + 1 conn:send(('x'):rep(65536)) end",
      setUp: "local sent, conn = 0, assert(node:open(address, { codec = codec.length_prefixed() }))",
      after: """
        local before = conn:stats().messages_sent
        eq(before, sent - 1)
        node:call("server", "go")
        eq(conn:flush(), true) eq(conn:stats().messages_sent, before)
        eventually(node, function() return node:call("server", "count") == before end)
        """,
      server: """
        codec = codec.length_prefixed(),
        init = function(node) node.state.gate, node.state.count = node:queue(), 0 end,
        process_message = function(node) if node.state.gate then node.state.gate:get() end node.state.count = node.state.count + 1 end,
        calls = {
          go = function(node) node.state.gate:close() end,
          count = function(node) return node.state.count end,
        }
        """)
  }

  @Test func `in connect, which leaves no connection behind`() async throws {
    try await inNode(
      """
      local task = node:spawn(function() return node:connect(address) end)
      eventually(node, function() return node:call("server", "shaking") end)
      eq(task:cancel(), true) eq(kind_of(task.join, task), "cancelled")
      eventually(node, function() local c = node:counts() return c.connected + c.connecting == 0 end)
      eventually(node, function() return node:call("server", "pending") == 0 end)
      """,
      hooks: "handshake = function(node, conn) conn:read(1) end",
      server: """
        handshake = function(node, conn) node.state.shaking = true conn:read(1) end,
        calls = { shaking = function(node) return node.state.shaking end,
          pending = function(node) return node:counts().connecting end }
        """)
  }

  @Test func `in a call of another script, which goes on there`() async throws {
    try await cancel(
      "node:call('server', 'slow')",
      after: "node:call('server', 'go') eventually(node, function() return node:call('server', 'done') end)",
      server: """
        init = function(node) node.state.gate = node:queue() end,
        calls = {
          slow = function(node) node.state.gate:get() node.state.done = true end,
          go = function(node) node.state.gate:put(1) end,
          done = function(node) return node.state.done end,
        }
        """)
  }

  @Test func `in flush`() async throws {
    try await cancel(
      "conn:flush()",
      setUp: """
        local conn = assert(node:open(address, { codec = codec.length_prefixed() }))
        local full = 0
        while full < 20 do
          if conn:try_send(("x"):rep(65536)) then full = 0 else full = full + 1 node:sleep(0.005) end
        end
        """,
      server: """
        config = { inbound_queue = 1 },
        codec = codec.length_prefixed(), process_message = function(node) node:sleep('1h') end
        """)
  }

  @Test func `inside the author's own coroutine`() async throws {
    try await cancel("local co = coroutine.wrap(function() node:sleep('1h') end) co()")
  }
}
