import Glibc
import LuaHost
import Testing

/// Errors that are swallowed on the way up: a run over its budget ends all the same, and soon.
@Suite(.timeLimit(.minutes(5))) struct CatchingTests {
  /// Each of them made a stack of some 100,000 levels, which Lua walked to its end once for each level.
  @Test(arguments: [
    "local function f() pcall(f) return f() end f()",
    "local function f() xpcall(f, function(e) error(e) end) return f() end f()",
    "local function f() pcall(pcall, f) return f() end f()",
    "local function f() pcall(f) return select('#', f()) end f()",
    "local function f() local x <close> = setmetatable({}, { __close = f }) pcall(f) return f() end f()",
    "local function f() for _ in pcall, f do f() end end f()",
    "local function f() pcall(f) return f() end coroutine.wrap(function() coroutine.wrap(f)() end)()",
    "local function f() pcall(f) return f() end while true do coroutine.resume(coroutine.create(f)) end",
    "local function g() pcall(g) coroutine.yield() return g() end local c = coroutine.wrap(g) while true do pcall(c) end",
    "local function g() pcall(function() coroutine.yield() g() end) return g() end local c = coroutine.wrap(g) while true do c() end",
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) pcall(function() return t[k] end) return t[k] end return t.x",
    "local t = setmetatable({}, {}) getmetatable(t).__call = function(t) pcall(t) return t() end t()",
    "local function f() table.sort({ 3, 2, 1 }, function() pcall(f) return f() end) end f()",
    "local function f() pcall(f) ('xx'):gsub('x', function() pcall(f) return f() end) return f() end while true do pcall(f) end",
    "local function d(n, f) if n == 0 then return f() end return d(n - 1, f), 1 end local function f() pcall(f) return f() end d(150000, f)",
  ])
  func `Ends with the budget, however deep the stack is`(code: String) throws {
    let machine = try Machine(memory: 64 << 20, time: .milliseconds(40))
    let began = Self.workedFor
    #expect(machine.failure(code)?.kind == .time)
    let (thread, status) = try machine.start(code)
    #expect(status == .failed)
    #expect(machine.takeFailure(thread).kind == .time)
    // Half a second where the machine is slow; without the bound, half a minute.
    #expect(Self.workedFor - began < .seconds(8))
    machine.vm.limits = LuaLimits(memory: 64 << 20, time: .seconds(30))
    #expect(try machine.start("return pcall(error)", in: thread).status == .finished)
  }

  /// What this thread has run: not what others on the machine kept it waiting for.
  private static var workedFor: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  @Test(arguments: ["pcall(inner)", "xpcall(inner, debug.traceback)", "xpcall(inner, function(e) return e end)"])
  func `There is a bound to pcall inside pcall, across waits too`(call: String) throws {
    let machine = try Machine()
    let code = """
      local depth, most, message = 0, 0, nil
      local function nested()
        depth = depth + 1
        most = math.max(most, depth)
        local function inner()
          coroutine.yield()
          nested()
        end
        local ok, e = \(call)
        if not ok then message = e end
        depth = depth - 1
      end
      local co = coroutine.create(nested)
      while coroutine.status(co) ~= "dead" do assert(coroutine.resume(co)) end
      assert(most == 201, most)
      assert(message:find("stack overflow (200 calls of pcall inside each other)", 1, true), message)
      return depth
      """
    for _ in 0..<2 { #expect(try machine.run(code) == [0]) }
  }

  @Test func `A pcall that is over counts no more, however it ended`() throws {
    let machine = try Machine()
    let code = """
      local function over(n, f)
        for _ = 1, n do
          assert(pcall(f))
          assert(not pcall(error, "x"))
          assert(xpcall(f, error))
          assert(not xpcall(error, function(e) return e end, "x"))
          assert(not xpcall(error, error, "x"))
          assert(pcall(pcall, error))
          pcall(function() local guard <close> = setmetatable({}, { __close = error }) f() end)
        end
      end
      over(500, function() end)
      over(50, coroutine.wrap(function() while true do over(500, coroutine.yield) end end))
      over(500, park)
      -- A new coroutine has none, wherever it is made.
      local function deep(n) if n == 0 then over(150, park) elseif n > 0 then assert(pcall(deep, n - 1)) end end
      pcall(pcall, pcall, coroutine.wrap(function() deep(60) end))
      coroutine.wrap(deep)(60)
      return "whole"
      """
    #expect(try machine.finish(code) == ["whole"])
  }

  @Test func `A thread that is given up in the middle of pcalls starts with none`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    let code = "local function deep(n) if n > 0 then assert(pcall(deep, n - 1)) else park() end end deep(120) return 'whole'"
    for _ in 0..<4 {
      #expect(try machine.start(code, in: thread).status == .parked)
      thread.abandon()
    }
    #expect(try machine.start(code, in: thread).status == .parked)
    #expect(machine.vm.resume(thread) { _ in } == .finished)
    #expect(try thread.results() == ["whole"])
  }
}
