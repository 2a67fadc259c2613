import LuaHost
import Testing

/// The author's coroutines behave as plain Lua's do.
struct CoroutineTests {
  @Test(
    arguments: [
      ("return coroutine.status(coroutine.create(print))", ["suspended"]),
      (
        "local co co = coroutine.create(function() return coroutine.status(co) end) return select(2, coroutine.resume(co))",
        ["running"]
      ),
      ("local co = coroutine.create(function() end) coroutine.resume(co) return coroutine.status(co)", ["dead"]),
      ("local co = coroutine.create(error) coroutine.resume(co) return coroutine.status(co)", ["dead"]),
      (
        "local a a = coroutine.create(function() return coroutine.wrap(function() return coroutine.status(a) end)() end) return select(2, coroutine.resume(a))",
        ["normal"]
      ),
      ("return coroutine.isyieldable()", [false]),
      ("return coroutine.wrap(function() return coroutine.isyieldable() end)()", [true]),
      ("return select(2, coroutine.running())", [true]),
      ("return coroutine.wrap(function() return select(2, coroutine.running()) end)()", [false]),
      (
        "local co co = coroutine.create(function() return coroutine.running() == co end) return select(2, coroutine.resume(co))",
        [true]
      ),
      (
        "return coroutine.resume(coroutine.create(function(...) return select('#', ...), ... end), 1, nil, 3)",
        [true, 3, 1, nil, 3]
      ),
      (
        "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 21) return x, y",
        [2, 42]
      ),
      (
        "local co = coroutine.create(print) coroutine.close(co) return coroutine.status(co), coroutine.resume(co)",
        ["dead", false, "cannot resume dead coroutine"]
      ),
      (
        "local co co = coroutine.create(function() return coroutine.resume(co) end) return coroutine.resume(co)",
        [true, false, "cannot resume non-suspended coroutine"]
      ),
      ("local f = coroutine.wrap(function() end) f() return pcall(f)", [false, "cannot resume dead coroutine"]),
      ("return pcall(coroutine.wrap(function() error({ code = 5 }) end))", [false, ["code": 5]]),
      ("return coroutine.resume(coroutine.create(function() error('x', 0) end))", [false, "x"]),
      (
        "local r = {} local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() r[1] = 'closed' end }) coroutine.yield() end) coroutine.resume(co) return coroutine.close(co), r[1]",
        [true, "closed"]
      ),
      (
        "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() error('in close', 0) end }) coroutine.yield() end) coroutine.resume(co) return coroutine.close(co)",
        [false, "in close"]
      ),
      (
        "local co = coroutine.create(function() error('own', 0) end) coroutine.resume(co) return coroutine.close(co)",
        [false, "own"]
      ),
      (
        "local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) local s = '' for v in gen do s = s .. v end return s",
        ["123"]
      ),
      ("return pcall(function() table.sort({ 2, 1 }, function() coroutine.yield() end) end)", nil),
      ("return coroutine.wrap(function() return pcall(function() coroutine.yield(5) end) end)()", [5]),
      ("return type(debug.traceback(coroutine.create(print)))", ["string"]),
    ] as [(String, [LuaValue]?)])
  func `As in plain Lua`(code: String, results: [LuaValue]?) throws {
    let machine = try Machine()
    // As a run, and as a call that cannot wait.
    let inRun = try machine.finish(code)
    let inCall = try machine.run(code)
    #expect(inRun.first == inCall.first)
    if let results {
      #expect(inRun == results)
      #expect(inCall == results)
    }
  }

  @Test func `A yield outside the author's coroutines is refused`() throws {
    let machine = try Machine()
    #expect(throws: LuaError.self) { try machine.finish("coroutine.yield(1)") }
    #expect(try machine.finish("return (select(2, pcall(coroutine.yield)))").first?.text?.contains("outside a coroutine") == true)
  }

  @Test func `Coroutines inside coroutines end in an error, not in the process`() throws {
    let machine = try Machine(memory: 64 << 20)
    let nest = "local function nest(n) return coroutine.wrap(function() return nest(n + 1) end)() end return pcall(nest, 1)"
    for results in [try machine.run(nest), try machine.finish(nest)] {
      #expect(results.first == false)
      #expect(results.last?.text?.contains("C stack overflow") == true)
    }
  }

  @Test func `Coroutines that close each other without end run into an error`() throws {
    let machine = try Machine(memory: 256 << 20)
    let chain = """
      local previous
      for _ = 1, 50000 do
        local inner = previous
        local co = coroutine.create(function()
          local x <close> = setmetatable({}, { __close = function() if inner then assert(coroutine.close(inner)) end end })
          coroutine.yield()
        end)
        coroutine.resume(co)
        previous = co
      end
      return coroutine.close(previous)
      """
    let results = try machine.run(chain)
    #expect(results.first == false)
    #expect(results.last?.text?.contains("C stack overflow") == true)
    #expect(try machine.run("return 1") == [1])
  }

  @Test func `Too many values for a coroutine are an error`() throws {
    let machine = try Machine(memory: 256 << 20)
    let results = try machine.run(
      "local co = coroutine.create(function() return table.unpack({}, 1, 900000) end) return pcall(function() return select('#', coroutine.resume(co, table.unpack({}, 1, 150000))) end)"
    )
    #expect(results.first?.bool != nil)
    #expect(try machine.run("return 1") == [1])
  }
}
