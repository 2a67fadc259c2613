import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// sleep, after, every, timeout, and the script's own timers.
@Suite(.onEveryBackend, .serialized, .timeLimit(.minutes(5))) struct TimeTests {
  @Test func `Durations are numbers or texts, and wrong ones name the call`() async throws {
    try await inNode(
      """
      node:sleep(0) node:sleep("0ms") node:sleep(0.001)
      local before = node:now() node:sleep "5ms" assert(node:now() - before >= 0.005)
      has(raised(node.sleep, node, -1), "node:sleep")
      has(raised(node.sleep, node, "soon"), "node:sleep")
      has(raised(node.sleep, node, 0/0), "node:sleep")
      has(raised(node.sleep, node), "node:sleep")
      has(raised(function() node:sleep("5 parsecs") end), "test.lua:")
      eq(raised(node.sleep, node, "soon").kind, "usage")
      eq(raised(node.sleep, node).kind, "usage")
      eq(raised(node.after, node, 1).kind, "usage")
      eq(raised(node.every, node, 1, print, 5).kind, "usage")
      has(raised(node.after, node, 1), "node:after: the second argument must be a function")
      has(raised(node.every, node, 0, print), "more than 0")
      has(raised(node.every, node, 1, print, { jiter = 1 }), 'did you mean "jitter"?')
      """)
  }

  @Test func `after runs once, unless it is cancelled in time`() async throws {
    try await inNode(
      """
      local runs = 0
      local timer = node:after(0.001, function() node:sleep(0) runs = runs + 1 end)
      eventually(node, function() return runs == 1 end)
      eq(timer:cancel(), false)
      local off = node:after(0.02, function() runs = runs + 100 end)
      eq(off:cancel(), true) eq(off:cancel(), false)
      do local scoped <close> = node:after(0.02, function() runs = runs + 100 end) end
      local last = false
      node:after(0.05, function() last = true end)
      eventually(node, function() return last end)
      eq(runs, 1)
      """)
  }

  @Test func `every goes on after an error, and never beside itself`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      """
      local ticks, inside, most = 0, 0, 0
      local timer = node:every("1ms", function()
        ticks, inside = ticks + 1, inside + 1
        most = math.max(most, inside)
        if ticks == 2 then inside = inside - 1 error "the second tick" end
        node:sleep("3ms")
        inside = inside - 1
      end, { jitter = "1ms" })
      eventually(node, function() return ticks >= 5 end)
      eq(timer:cancel(), true)
      eventually(node, function() return inside == 0 end)
      local seen = ticks
      node:sleep(0.02)
      eq(ticks, seen) eq(most, 1)
      eq(node:heuristics().script_errors, 1)
      """, logger: recorder.logger)
    #expect(recorder.lines(with: "the second tick").count == 1)
  }

  @Test func `The ticks keep to their grid, with a jitter that does not add up`() async throws {
    let grid = try await inNode(
      """
      local start, at = node:now(), {}
      local timer = node:every(0.01, function() at[#at + 1] = node:now() - start end, { jitter = 0.002 })
      eventually(node, function() return #at >= 10 end)
      timer:cancel()
      for i, moment in ipairs(at) do assert(moment >= 0.01 * i, "tick " .. i .. " at " .. moment) end
      return at
      """)
    #expect(grid.first?.table?.array.count ?? 0 >= 10)
  }

  @Test func `The script's timers run by name, get the node, and go on after errors and overruns`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      """
      eventually(node, function()
        local s = node.state
        return (s.good or 0) > 3 and (s.bad or 0) > 3 and (s.endless or 0) > 1 and s.parked
      end)
      """,
      hooks: """
        timers = {
          good = { every = "1ms", run = function(node) node.state.good = (node.state.good or 0) + 1 end },
          bad = { every = "2ms", jitter = "1ms", run = function(node)
            node.state.bad = (node.state.bad or 0) + 1
            error "bad tick"
          end },
          endless = { every = "5ms", run = function(node)
            node.state.endless = (node.state.endless or 0) + 1
            while true do end
          end },
          parks = { every = "1ms", run = function(node) node:sleep("1ms") node.state.parked = true end },
        }
        """, logger: recorder.logger
    ) { $0.configuration = [("script_time", .string("20ms"))] }
    let bad = recorder.lines(with: "bad tick")
    #expect(bad.count > 3)
    #expect(bad.first?.metadata["hook"] == "timer bad")
    #expect(recorder.lines.contains { $0.metadata["kind"] == "budget" && $0.metadata["hook"] == "timer endless" })
  }

  @Test func `timeout returns in time, or raises, with what it wraps cancelled`() async throws {
    try await inNode(
      """
      local a, b = node:timeout("10s", function(x, y) node:sleep(0) return y, x end, 1, 2)
      eq(a, 2) eq(b, 1)
      local inner
      local cause = raised(node.timeout, node, "200ms", function()
        local ok, e = pcall(node.sleep, node, "1h")
        inner = e.kind
        error(e, 0)
      end)
      eq(cause.kind, "timeout") has(cause.message, "0.2 s")
      eventually(node, function() return inner end)
      eq(inner, "cancelled")
      """)
  }

  @Test func `Timeouts nest: the shorter one decides`() async throws {
    try await inNode(
      """
      local ends = {}
      local function guarded(name, ...)
        local guard <close> = setmetatable({}, { __close = function() ends[#ends + 1] = name end })
        return node:timeout(...)
      end
      eq(kind_of(guarded, "outer", "200ms", function() guarded("inner", "1h", function() node:sleep("1h") end) end), "timeout")
      eventually(node, function() return #ends == 2 end)
      local inner = guarded("outer", "1h", function()
        return kind_of(guarded, "inner", "200ms", function() node:sleep("1h") end)
      end)
      eq(inner, "timeout")
      local mark = {}
      eq(raised(node.timeout, node, 5, function() node:timeout(5, error, mark) end), mark)
      """)
  }

  @Test func `random numbers stay in their bounds`() async throws {
    try await inNode(
      """
      for _ = 1, 100 do
        local r = node:random() assert(r >= 0 and r < 1)
        local n = node:random(3) assert(math.type(n) == "integer" and n >= 1 and n <= 3)
        n = node:random(-2, 2) assert(n >= -2 and n <= 2)
      end
      eq(node:random(math.mininteger, math.maxinteger) ~= nil, true)
      has(raised(node.random, node, 2, 1), "nothing from 2 to 1")
      has(raised(node.random, node, 0), "nothing from 1 to 0")
      """)
  }
}
