import LuaHost
import Testing

/// The run-time budget: an endless run ends, whatever it is in the middle of.
struct BudgetTests {
  static let loops = [
    "while true do end",
    "repeat until false",
    "::again:: goto again",
    "for _ = 1, math.huge do end",
    "local function f() return f() end f()",
    "while true do local _ = {} end",
    "while true do pcall(error) end",
    "while true do pcall(function() while true do end end) end",
    "pcall(function() while true do end end) pcall(function() while true do end end) while true do end",
    "while true do xpcall(function() while true do end end, function(e) return e end) end",
    "xpcall(function() while true do end end, function() while true do end end)",
    "xpcall(error, function() while true do end end)",
    "table.sort({ 3, 2, 1 }, function() while true do end end)",
    "pcall(table.sort, { 3, 2, 1 }, function() while true do end end) while true do end",
    "('xxxx'):gsub('x', function() while true do end end)",
    "while true do pcall(string.gsub, 'x', 'x', function() while true do end end) end",
    "do local x <close> = setmetatable({}, { __close = function() while true do end end }) end",
    "local x <close> = setmetatable({}, { __close = function() while true do end end }) while true do end",
    "local x <close> = setmetatable({}, { __close = function() while true do end end }) error('first')",
    "while true do pcall(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) error() end) end",
    "setmetatable({}, { __index = function() while true do end end }).x = nil local _ = setmetatable({}, { __index = function() while true do end end }).x",
    "tostring(setmetatable({}, { __tostring = function() while true do end end }))",
    "error(setmetatable({}, { __tostring = function() while true do end end }))",
    "for _ in function() while true do end end do end",
    "for _ in function() return 1 end do end",
    "load(function() while true do end end)",
    "coroutine.wrap(function() while true do end end)()",
    "coroutine.resume(coroutine.create(function() while true do end end)) while true do end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
    "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
    "local function nest(n) if n == 0 then while true do end end coroutine.wrap(nest)(n - 1) end nest(20)",
    "coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) error('first') end)()",
    "coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) while true do end end)()",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() while true do end end }) error() end) coroutine.resume(co) coroutine.close(co)",
    "back(function() while true do end end)",
    "while true do pcall(back, function() while true do end end) end",
    "back(function() back(function() coroutine.wrap(function() back(function() while true do end end) end)() end) end)",
    "while true do ('x'):rep(1000) end",
    "while true do park_free() end",
    "table.move({}, 1, math.maxinteger - 1, 2)",
    "while true do pcall(table.move, {}, 1, 1 << 60, 2) end",
  ]

  private func machine(_ time: Duration = .milliseconds(60)) throws -> Machine {
    try Machine(time: time, natives: Machine.natives + [("park_free", { LuaCall($0).none() })])
  }

  @Test(.timeLimit(.minutes(5)), arguments: loops)
  func `An endless run ends, as a call and as a run, and the VM lives on`(code: String) throws {
    let machine = try machine()
    for _ in 0..<2 {
      let inCall = try #require(machine.failure(code))
      let (thread, status) = try machine.start(code)
      #expect(status == .failed)
      for error in [inCall, machine.takeFailure(thread)] {
        #expect(error.kind == .time)
        #expect(error.message.hasSuffix("ran longer than script_time without waiting"))
        #expect(error.location == "test.lua:1")
        #expect(error.value == nil)
        #expect(error.traceback?.contains("test.lua:1: in") == true)
      }
      #expect(try machine.run("local n = 0 for i = 1, 1000 do n = n + i end return n") == [500_500])
      #expect(try machine.start("return 1", in: thread).status == .finished)
    }
  }

  @Test(.timeLimit(.minutes(5))) func `A thread whose run was ended can be ended again and again`() throws {
    let machine = try machine(.milliseconds(30))
    let thread = try #require(machine.vm.makeThread())
    for round in 0..<30 {
      #expect(
        try machine.start(round % 2 == 0 ? "while true do end" : "while true do pcall(error) end", in: thread).status == .failed)
      #expect(machine.takeFailure(thread).kind == .time)
      #expect(try machine.start("return 7", in: thread).status == .finished)
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Nothing after the end is run, not even a handler`() throws {
    let machine = try machine()
    for code in [
      "pcall(function() while true do end end) after = true",
      "xpcall(function() while true do end end, function() after = true end)",
      "local x <close> = setmetatable({}, { __close = function() after = true end }) while true do end",
      "coroutine.resume(coroutine.create(function() while true do end end)) after = true",
      "pcall(back, function() while true do end end) after = true",
    ] {
      #expect(machine.failure(code)?.kind == .time)
      let (thread, status) = try machine.start(code)
      #expect(status == .failed)
      #expect(machine.takeFailure(thread).kind == .time)
      #expect(try machine.run("return after") == [nil])
    }
  }

  @Test(.timeLimit(.minutes(5))) func `A coroutine that the budget ended stays dead and closes without running`() throws {
    let machine = try machine()
    let code = """
      co = coroutine.create(function()
        local x <close> = setmetatable({}, { __close = function() while true do end end })
        while true do end
      end)
      coroutine.resume(co)
      """
    #expect(machine.failure(code)?.kind == .time)
    #expect(
      try machine.run("return coroutine.status(co), coroutine.close(co)") == ["dead", false, "the coroutine ran over its budget"])
    #expect(try machine.run("return coroutine.resume(co)") == [false, "cannot resume dead coroutine"])
  }

  @Test(.timeLimit(.minutes(5))) func `The shipped Lua may leave its tables in order, and no more`() throws {
    let machine = try machine()
    let shipped = try machine.vm.load(
      """
      function guarded(f)
        local guard <close> = setmetatable({}, { __close = function() tidied = (tidied or 0) + 1 end })
        f()
      end
      function spin() while true do end end
      function spin_on_close()
        local guard <close> = setmetatable({}, { __close = spin })
        spin()
      end
      """, chunkName: "=moonpeer.guard")
    _ = try machine.vm.callNow(shipped)
    #expect(machine.failure("guarded(function() while true do end end)")?.kind == .time)
    #expect(try machine.run("return tidied") == [1])
    let (thread, status) = try machine.start("guarded(function() while true do end end)")
    #expect(status == .failed)
    #expect(machine.takeFailure(thread).kind == .time)
    #expect(try machine.run("return tidied") == [2])
    #expect(machine.failure("spin()")?.kind == .time)
    #expect(machine.failure("spin_on_close()")?.kind == .time)
  }

  @Test(.timeLimit(.minutes(5))) func `A wait starts the budget anew`() throws {
    let machine = try machine(.seconds(1))
    // Together far over the budget; each part far inside it, on a busy machine too.
    let (thread, status) = try machine.start("while not done do park() end return 'whole'")
    var state = status
    let clock = ContinuousClock()
    let start = clock.now
    while clock.now - start < .milliseconds(2_200), state == .parked {
      state = machine.vm.resume(thread) { _ in }
    }
    _ = try machine.run("done = true")
    #expect(machine.vm.resume(thread) { _ in } == .finished)
    #expect(try thread.results() == ["whole"])
  }

  @Test(.timeLimit(.minutes(5))) func `A signal that comes late ends nothing`() throws {
    // Runs of about the budget's length, so that the signal often meets the end of one: what finished stays finished,
    // and the run after it has its whole budget.
    let machine = try machine(.milliseconds(4))
    var ended = 0
    for round in 0..<600 {
      let count = Int64(20_000 + round * 600)
      do throws(LuaError) {
        #expect(
          try machine.run("local n = 0 for i = 1, (...) do n = n + 1 end return n") { $0.integer(count) } == [.integer(count)])
      } catch {
        #expect(error.kind == .time)
        ended += 1
      }
      machine.vm.limits = LuaLimits(memory: 16 << 20, time: .seconds(20))
      #expect(try machine.run("local n = 0 for i = 1, 100 do n = n + 1 end return n") == [100])
      machine.vm.limits = LuaLimits(memory: 16 << 20, time: .milliseconds(4))
    }
    #expect(ended < 600)
  }

  @Test(.timeLimit(.minutes(5))) func `A budget can be set, changed and taken away while the VM lives`() throws {
    let machine = try Machine(time: .zero)
    machine.vm.limits = LuaLimits(time: .milliseconds(50))
    #expect(machine.failure("while true do end")?.kind == .time)
    machine.vm.limits = LuaLimits(time: .zero)
    #expect(try machine.run("local n = 0 for i = 1, 20000000 do n = n + 1 end return n") == [20_000_000])
    machine.vm.limits = LuaLimits(time: .milliseconds(50))
    #expect(machine.failure("while true do end")?.kind == .time)
    // The longest that fits, those that a sum of nanoseconds would not, and those that are no time at all.
    for seconds: Int64 in [9_000_000_000, 9_000_000_001, 9_223_372_037, 9_999_999_999, 1 << 40, .max, -1, -9_999_999_999, .min] {
      machine.vm.limits = LuaLimits(time: .seconds(seconds))
      #expect(try machine.run("return 1") == [1])
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Many VMs on many threads each end their own runs only`() async throws {
    try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<8 {
        group.addTask {
          let spins = index % 2 == 0
          let machine = try Machine(time: spins ? .milliseconds(40) : .seconds(50))
          var ended = 0
          for _ in 0..<10 {
            if spins {
              if machine.failure("while true do pcall(error) end")?.kind == .time { ended += 1 }
            } else {
              _ = try machine.run("local n = 0 for i = 1, 2000000 do n = n + 1 end")
            }
          }
          return spins ? ended - 10 : 0
        }
      }
      for try await difference in group { #expect(difference == 0) }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `A VM inside another's native is ended by its own budget`() throws {
    let machine = try Machine(
      time: .seconds(50),
      natives: [
        (
          "inner",
          { state in
            let call = LuaCall(state)
            guard let inner = try? Machine(time: .milliseconds(50)) else { return call.raise("failed", "no VM") }
            let kind = inner.failure("while true do end")?.kind
            return call.returns { $0.boolean(kind == .time) }
          }
        )
      ])
    #expect(try machine.run("return inner(), inner()") == [true, true])
    machine.vm.limits = LuaLimits(time: .milliseconds(100))
    #expect(machine.failure("for _ = 1, 200 do inner() end")?.kind == .time)
  }
}
