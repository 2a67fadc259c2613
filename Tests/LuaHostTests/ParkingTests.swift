import LuaHost
import Testing

/// A wait of the host passes through whatever called it, or is refused with a clear error.
struct ParkingTests {
  @Test(
    arguments: [
      ("return park()", [1]),
      ("local function f() return park() + park() end return f()", [3]),
      ("return pcall(park)", [true, 1]),
      ("return pcall(pcall, park)", [true, true, 1]),
      ("return xpcall(park, print)", [true, 1]),
      ("return xpcall(function(a, b) return park() + a + b end, function() end, 10, 20)", [true, 31]),
      ("return pcall(function() park() error('after', 0) end)", [false, "after"]),
      ("return xpcall(function() park() error('after', 0) end, function(e) return e .. '!' end)", [false, "after!"]),
      ("return setmetatable({}, { __index = function() return park() end }).x", [1]),
      ("local t = setmetatable({}, { __newindex = function(t, k, v) rawset(t, k, v + park()) end }) t.x = 5 return t.x", [6]),
      ("return setmetatable({}, { __add = function() return park() end }) + 1", [1]),
      ("return setmetatable({}, { __concat = function() return park() end }) .. 'x'", [1]),
      ("return setmetatable({}, { __eq = function() return park() == 1 end }) == setmetatable({}, {})", [true]),
      ("return setmetatable({}, { __lt = function() return park() == 1 end }) < 5", [true]),
      ("return #setmetatable({}, { __len = function() return park() end })", [1]),
      ("return setmetatable({}, { __call = function(_, a) return park() + a end })(4)", [5]),
      ("local s = 0 for v in function(_, last) if last ~= 3 then return park() end end do s = s + v end return s", [6]),
      (
        "local s = 0 for v in coroutine.wrap(function() for _ = 1, 3 do coroutine.yield(park()) end end) do s = s + v end return s",
        [6]
      ),
      ("local r do local x <close> = setmetatable({}, { __close = function() r = park() end }) end return r", [1]),
      (
        "local r = {} local ok, e = pcall(function() local x <close> = setmetatable({}, { __close = function() r[1] = park() end }) error('e', 0) end) return ok, e, r[1]",
        [false, "e", 1]
      ),
      ("return coroutine.wrap(function() return park() end)()", [1]),
      ("return coroutine.resume(coroutine.create(function(a) return park() + a end), 7)", [true, 8]),
      (
        "return coroutine.wrap(function() return coroutine.wrap(function() return coroutine.wrap(park)() + park() end)() + park() end)()",
        [6]
      ),
      (
        "local co = coroutine.create(function() local a = park() local b = coroutine.yield(a) return b + park() end) local _, a = coroutine.resume(co) local _, c = coroutine.resume(co, 10) return a, c",
        [1, 12]
      ),
      (
        "return select(2, coroutine.resume(coroutine.create(function() return pcall(function() park() error('in', 0) end) end)))",
        [false, "in"]
      ),
      ("return pcall(coroutine.wrap(function() park() error('out', 0) end))", [false, "out"]),
      ("return load('return park()')()", [1]),
      ("local f = coroutine.wrap(function() while true do coroutine.yield(park()) end end) return f(), f(), f()", [1, 2, 3]),
      ("local t = {} for i = 1, 50 do t[i] = coroutine.wrap(function() return park() end)() end return #t, t[50]", [50, 50]),
    ] as [(String, [LuaValue])])
  func `A wait passes through`(code: String, results: [LuaValue]) throws {
    #expect(try Machine().finish(code) == results)
  }

  @Test(arguments: [
    "table.sort({ 2, 1 }, function() park() end)",
    "('x'):gsub('x', park)",
    "('x'):gsub('x', function() park() end)",
    "assert(load(function() park() end))",
    "tostring(setmetatable({}, { __tostring = function() park() end }))",
    "coroutine.wrap(function() table.sort({ 2, 1 }, function() park() end) end)()",
    "table.sort({ 2, 1 }, function() coroutine.wrap(park)() end)",
    "back(park)",
    "back(function() coroutine.wrap(park)() end)",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() park() end }) coroutine.yield() end) coroutine.resume(co) local _, e = coroutine.close(co) error(e)",
  ])
  func `Where a wait cannot pass it is an error that says so`(code: String) throws {
    let machine = try Machine()
    let (thread, status) = try machine.start(
      "local ok, e = pcall(function() \(code) end) return ok, type(e) == 'table' and e.message or e")
    #expect(status == .finished)
    let results = try thread.results()
    #expect(results.first == false || results.last?.text == nil)
    if let text = results.last?.text { #expect(text.contains("cannot wait here"), "\(text)") }
    #expect(try machine.run("return 1") == [1])
  }

  @Test func `Outside a run nothing can wait`() throws {
    let machine = try Machine()
    #expect(machine.failure("park()")?.message == "test.lua:1: cannot wait here")
    #expect(machine.failure("coroutine.wrap(park)()")?.message.contains("cannot wait here") == true)
  }

  @Test func `A failed run's close handlers may wait, and the error is kept`() throws {
    let machine = try Machine()
    var (thread, status) = try machine.start(
      """
      local a <close> = setmetatable({}, { __close = function() order = (order or '') .. 'a' .. park() end })
      local b <close> = setmetatable({}, { __close = function() order = (order or '') .. 'b' .. park() end })
      error('the first')
      """)
    var waits: Int64 = 0
    while status == .parked {
      waits += 1
      let answer = waits
      status = machine.vm.resume(thread) { $0.integer(answer) }
    }
    #expect(status == .failed)
    let error = machine.takeFailure(thread)
    #expect(error.message == "test.lua:3: the first")
    #expect(error.traceback?.contains("test.lua:3: in") == true)
    #expect(waits == 2)
    #expect(try machine.run("return order") == ["b1a2"])
    thread = try #require(machine.vm.makeThread())
  }

  @Test func `A coroutine that waits for the host can be neither resumed nor closed by others`() throws {
    let machine = try Machine()
    let (thread, status) = try machine.start(
      "co = coroutine.create(function() return park() + park() end) return coroutine.resume(co)")
    #expect(status == .parked)
    let look = "return coroutine.status(co), coroutine.resume(co)"
    #expect(try machine.run(look) == ["normal", false, "cannot resume non-suspended coroutine"])
    #expect(machine.failure("coroutine.close(co)")?.message.contains("cannot close a normal coroutine") == true)
    #expect(machine.vm.resume(thread) { $0.integer(20) } == .parked)
    #expect(try machine.run(look).first == "normal")
    #expect(machine.vm.resume(thread) { $0.integer(22) } == .finished)
    #expect(try thread.results() == [true, 42])
    #expect(try machine.run("return coroutine.status(co), coroutine.close(co)") == ["dead", true])
  }

  @Test func `Many runs wait at once and are answered in any order`() throws {
    let machine = try Machine()
    let chunk = try machine.vm.load(
      "local n = ... local f = coroutine.wrap(function() return park() end) local a = f() total = (total or 0) + a * n return a, n",
      chunkName: "@t.lua")
    var threads: [(LuaThread, Int64)] = []
    for number in 0..<300 {
      let thread = try #require(machine.vm.makeThread())
      #expect(machine.vm.start(thread, chunk) { $0.integer(Int64(number)) } == .parked)
      threads.append((thread, Int64(number)))
    }
    for (thread, number) in threads.reversed() {
      #expect(machine.vm.resume(thread) { $0.integer(number + 1) } == .finished)
      #expect(try thread.results() == [.integer(number + 1), .integer(number)])
    }
  }

  @Test func `A parked error inside a coroutine comes out where it was resumed`() throws {
    let machine = try Machine()
    let (thread, _) = try machine.start(
      "local ok, e = coroutine.resume(coroutine.create(function() park() end)) return ok, e.kind")
    let error = LuaError(kind: .runtime, message: "gone", value: ["kind": "closed"])
    #expect(machine.vm.resume(thread, raising: error) == .finished)
    #expect(try thread.results() == [false, "closed"])
  }
}
