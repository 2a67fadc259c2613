import LuaHost
import Testing

/// Recursion without end is an error in the script, whatever it goes through.
struct RecursionTests {
  @Test(arguments: [
    "local function f() return 1 + f() end f()",
    "local function f() local x <close> = nil return 1 + f() end f()",
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] + 1 end return t.x",
    "local function f() return ('x'):gsub('x', f) end f()",
    "local function f() table.sort({ 1, 2 }, f) end f()",
    "local function f() pcall(f) error('x') end f()",
    "local function f() coroutine.wrap(f)() end f()",
    "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return tostring(t) end tostring(t)",
    "local function f() return back(f) end f()",
    "local function f() return back(function() return coroutine.wrap(f)() end) end f()",
    "local function f() return xpcall(f, f) end f() error('x')",
    "local function f(e) error(e) end xpcall(f, f, 1) error('x')",
    "load(('('):rep(1000) .. '1')() error('x')",
    "error(setmetatable({}, { __tostring = function(t) return tostring(t) end }))",
  ])
  func `Ends in an error, and the VM lives on`(code: String) throws {
    let machine = try Machine(memory: 256 << 20)
    for _ in 0..<2 {
      let inCall = try #require(machine.failure(code))
      #expect(!inCall.message.isEmpty)
      let (thread, status) = try machine.start(code)
      #expect(status == .failed)
      #expect(!machine.takeFailure(thread).message.isEmpty)
      #expect(try machine.run("return 1") == [1])
      #expect(try machine.start("return 1", in: thread).status == .finished)
    }
  }

  @Test func `Says that the stack overflowed, with the line and a short traceback`() throws {
    let machine = try Machine(memory: 256 << 20)
    let error = try #require(machine.failure("local function f()\n  return 1 + f()\nend\nf()"))
    #expect(error.kind == .runtime)
    #expect(error.message.hasPrefix("test.lua:2: stack overflow"))
    #expect(error.location == "test.lua:2")
    let through = try #require(machine.failure("local function f() return back(f) end f()"))
    #expect(through.message.contains("C stack overflow"))
  }

  @Test func `Under a small memory cap it is the memory that ends it`() throws {
    let machine = try Machine(memory: 1 << 20)
    let error = try #require(machine.failure("local function f() return 1 + f() end f()"))
    #expect(error.kind == .memory)
    #expect(try machine.run("return 1") == [1])
  }

  /// Each signal of the watchdog set the hook anew, which takes as long as the stack is deep: longer than the next signal took.
  @Test func `A deep recursion that is over its time comes to its end`() throws {
    let machine = try Machine(memory: 256 << 20, time: .milliseconds(30))
    for _ in 0..<3 {
      let error = try #require(machine.failure("local function f() return 1 + f() end while true do pcall(f) end"))
      #expect(error.kind == .time || error.kind == .memory)
      #expect(try machine.run("return 1") == [1])
    }
  }
}
