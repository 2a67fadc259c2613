import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Waiting is legal everywhere; where Lua itself cannot, the error says why.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ParkingTests {
  @Test func `in every hook, timer, task and call`() async throws {
    let recorder = LogRecorder()
    let directory = NodeDirectory()
    let hooks = """
      timers = { tick = { every = "1ms", run = function(node) wait(node) node.state.log.timer = true end } },
      init = function(node) node.state.log = {} wait(node) node.state.log.init = true end,
      handshake = function(node, conn) conn:write "h" conn:read(1) wait(node) node.state.log.handshake = true end,
      codec = function(node, conn) wait(node) node.state.log.codec = true return codec.lines() end,
      on_connect = function(node, conn) wait(node) node.state.log.on_connect = true conn:send "hello" end,
      process_message = function(node, conn, m) wait(node) node.state.log.message = m end,
      on_disconnect = function(node, conn) wait(node) node.state.log.on_disconnect = true end,
      on_shutdown = function(node) wait(node) log.info "shutdown is over" end,
      calls = {
        log = function(node, key) wait(node) return node.state.log[key] end,
        connect = function(node, address) return node:connect(address) ~= nil end,
        disconnect = function(node) for _, conn in ipairs(node:connections()) do node:disconnect(conn) end end,
      },
      """
    let text = script(hooks, before: "local function wait(node) node:sleep(0.001) end")
    try await withNode(text, name: "a", logger: recorder.logger, directory: directory) { a in
      try await withNode(text, name: "b", logger: .quiet, directory: directory) { b in
        let connected = try await b.call("connect", [LuaValue("\(await a.node.address!)")])
        #expect(connected.first == true)
        for key in ["init", "timer", "handshake", "codec", "on_connect"] {
          try await eventually(key) { try await a.call("log", [LuaValue(key)]).first == true }
        }
        try await eventually("message") { try await a.call("log", ["message"]).first == "hello" }
        _ = try await b.call("disconnect")
        for node in [a, b] {
          try await eventually("on_disconnect") { try await node.call("log", ["on_disconnect"]).first == true }
        }
        #expect(try await a.evaluate("(function() node:sleep(0.001) return 5 end)()").first == 5)
      }
    }
    #expect(recorder.lines(with: "shutdown is over").count == 1)
    #expect(recorder.lines.filter { $0.level == .error }.map(\.message) == [])
  }

  @Test(arguments: [
    ("a coroutine", "local co = coroutine.wrap(function(a) wait() return a + 1 end) eq(co(1), 2)"),
    (
      "nested coroutines that yield too",
      """
      local outer = coroutine.wrap(function()
        local inner = coroutine.wrap(function() for i = 1, 3 do wait() coroutine.yield(i) wait() end end)
        for v in inner do coroutine.yield("o" .. v) wait() end
      end)
      local seen = {}
      for v in outer do seen[#seen + 1] = v wait() end
      eq(table.concat(seen), "o1o2o3")
      """
    ),
    (
      "resume, whose status is truthful",
      """
      local co
      co = coroutine.create(function(...) eq(select("#", ...), 2) wait() eq(coroutine.status(co), "running") return "x", nil end)
      local ok, x, none = coroutine.resume(co, 1, 2)
      eq(ok, true) eq(x, "x") eq(none, nil) eq(coroutine.status(co), "dead")
      eq(select("#", coroutine.resume(coroutine.create(function() wait() return 1, nil, nil end))), 4)
      """
    ),
    (
      "an error after a wait in a coroutine",
      """
      local mark = {}
      local ok, cause = coroutine.resume(coroutine.create(function() wait() error(mark) end))
      eq(ok, false) eq(cause, mark)
      eq(raised(coroutine.wrap(function() wait() error(mark) end)), mark)
      """
    ),
    (
      "pcall",
      "eq(select(2, pcall(function() wait() return 5 end)), 5) local m = {} eq(raised(function() wait() error(m) end), m)"
    ),
    (
      "xpcall and its handler's sight of the stack",
      """
      local ok, text = xpcall(function() wait() error("deep", 0) end, function(e) return e .. debug.traceback() end)
      eq(ok, false) has(text, "deep") has(text, "stack traceback") has(text, "test.lua")
      eq(select(2, xpcall(function(a) wait() return a end, print, 7)), 7)
      """
    ),
    (
      "metamethods",
      """
      local t = setmetatable({}, {
        __index = function(_, k) wait() return k end, __newindex = function(t, k, v) wait() rawset(t, k, v) end,
        __add = function() wait() return "add" end, __concat = function() wait() return "concat" end,
        __eq = function() wait() return true end, __lt = function() wait() return true end,
        __le = function() wait() return false end, __len = function() wait() return 9 end,
        __call = function(_, x) wait() return x end, __unm = function() wait() return "unm" end,
      })
      eq(t.key, "key") t.set = 1 eq(rawget(t, "set"), 1) eq(t + 1, "add") eq(t .. "x", "concat")
      eq(t == setmetatable({}, getmetatable(t)), true) eq(t < t, true) eq(t <= t, false) eq(#t, 9) eq(t(3), 3) eq(-t, "unm")
      """
    ),
    (
      "for-in iterators and __pairs",
      """
      local function numbers(n) return function(_, i) wait() if i < n then return i + 1 end end, nil, 0 end
      local sum = 0
      for i in numbers(4) do wait() sum = sum + i end
      eq(sum, 10)
      for k in pairs(setmetatable({}, { __pairs = function() wait() return next, { a = 1 } end })) do eq(k, "a") end
      """
    ),
    (
      "<close>, when the block ends, returns, breaks or fails",
      """
      local closed = 0
      local function guard() return setmetatable({}, { __close = function(_, e) wait() closed = closed + 1 end }) end
      do local g <close> = guard() end
      eq((function() local g <close> = guard() return 5 end)(), 5)
      for _ = 1, 3 do local g <close> = guard() break end
      local mark = {}
      eq(raised(function() local g <close> = guard() error(mark) end), mark)
      eq(closed, 4)
      -- Also where nobody catches the error, and where a cancelled task cleans up.
      local task = node:spawn(function() local g <close> = guard() error(mark) end)
      eq(raised(task.join, task), mark) eq(closed, 5)
      local waits = node:spawn(function() local g <close> = guard() node:sleep("1h") end)
      node:sleep(0)
      waits:cancel()
      eq(kind_of(waits.join, waits), "cancelled") eq(closed, 6)
      """
    ),
    ("a loaded chunk", #"local f = load("local node = ... node:sleep(0.001) return 'loaded'") eq(f(node), "loaded")"#),
    (
      "tail calls and varargs",
      "local function f(n, ...) if n == 0 then wait() return ... end return f(n - 1, n, ...) end eq(select('#', f(50)), 50)"
    ),
  ])
  func `inside Lua's own constructs`(what: String, code: String) async throws {
    try await inNode("local function wait() node:sleep(0.001) end\n" + code)
  }

  @Test(arguments: [
    ("table.sort({ 2, 1 }, function(a, b) wait() return a < b end)", "node:sleep"),
    ("string.gsub('abc', '%w', function() wait() end)", "node:sleep"),
    ("tostring(setmetatable({}, { __tostring = function() wait() return 'x' end }))", "node:sleep"),
    ("table.concat(setmetatable({}, { __index = function() wait() return 'x' end }), '', 1, 2)", "node:sleep"),
    ("load(function() wait() end)", "node:sleep"),
    ("table.sort({ 2, 1 }, function(a, b) return queue:get() end)", "cannot wait here"),
    ("table.sort({ 2, 1 }, function(a, b) task:join() end)", "cannot wait here"),
  ])
  func `Where Lua cannot wait, the error says so at the author's line`(code: String, words: String) async throws {
    let text = try await inNode(
      """
      local function wait() node:sleep(0.001) end
      local queue, task = node:queue(), node:spawn(function() node:sleep("1h") end)
      local ok, cause = pcall(function() local f, why = \(code) if not f and why then error(why, 0) end end)
      assert(not ok, "nothing was raised")
      node:sleep(0)
      return tostring(cause)
      """)
    let message = text.first?.text ?? ""
    #expect(message.contains(words))
    #expect(message.contains("cannot wait here: it was called inside a codec's decoder or a C function such as table.sort"))
    #expect(message.contains("test.lua:"))
  }

  @Test func `A coroutine that waits for the host cannot be resumed by the script`() async throws {
    try await inNode(
      """
      local co = coroutine.create(function() node:sleep("20ms") return "slept" end)
      local task = node:spawn(function() return coroutine.resume(co) end)
      eventually(node, function() return task.status == "waiting" end)
      local ok, why = coroutine.resume(co)
      eq(ok, false) has(why, "cannot resume")
      local ok2, value = task:join()
      eq(ok2, true) eq(value, "slept")
      has(raised(coroutine.yield), "coroutine.yield outside a coroutine")
      """)
  }

  @Test func `A generator kept across messages goes on where it was`() async throws {
    try await inNode(
      """
      local conn = assert(node:open(address, { codec = codec.lines() }))
      for i = 1, 5 do eq(conn:request("next"), "n" .. i) end
      """,
      server: """
        codec = codec.lines(),
        init = function(node)
          node.state.next = coroutine.wrap(function() local i = 0 while true do i = i + 1 node:sleep(0.001) coroutine.yield("n" .. i) end end)
        end,
        process_message = function(node, conn) conn:send(node.state.next()) end,
        """)
  }

}
