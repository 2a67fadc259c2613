import LuaHost
import Testing

/// An error says what and where, whatever was raised.
struct ErrorTests {
  /// The failure of the code, both as a call and as a run.
  private func failures(_ code: String) throws -> [LuaError] {
    let machine = try Machine()
    let (thread, status) = try machine.start(code)
    #expect(status == .failed)
    return [try #require(machine.failure(code)), machine.takeFailure(thread)]
  }

  @Test func `A runtime error carries file, line and traceback`() throws {
    for error in try failures("local function inner()\n  local x = nil\n  return x.y\nend\ninner()") {
      #expect(error.kind == .runtime)
      #expect(error.message == "test.lua:3: attempt to index a nil value (local 'x')")
      #expect(error.location == "test.lua:3")
      #expect(error.traceback?.hasPrefix("stack traceback:\n\ttest.lua:3: in local 'inner'") == true)
      #expect(error.traceback?.contains("\n\ttest.lua:5: in") == true)
    }
  }

  @Test func `A traceback is text, tail calls and all`() throws {
    for error in try failures("local function f() error('x') end local function g() return f() end return g()") {
      #expect(error.traceback?.contains("(...tail calls...)") == true)
      #expect(error.traceback?.utf8.contains(0) == false)
    }
  }

  @Test func `A traceback shows the author's code and what it called, not what is shipped`() throws {
    let machine = try Machine()
    let shipped = try machine.vm.load(
      "function inner() error('wrong') end function outer(f) f() end function tail() return inner() end",
      chunkName: "=moonpeer.wrapper")
    _ = try machine.vm.callNow(shipped)
    machine.vm.release(shipped)
    let call = try #require(machine.failure("local function mine() tail() end\nouter(mine)"))
    #expect(call.traceback == "stack traceback:\n\ttest.lua:1: in local 'f'\n\ttest.lua:2: in main chunk")
  }

  @Test func `A long stack is shown by its ends`() throws {
    for error in try failures("local function f(n) if n == 0 then error('deep') end f(n - 1) return 1 end f(5000)") {
      #expect(error.traceback?.contains("(skipping ") == true)
      #expect((error.traceback?.utf8.count ?? 0) < 4_000)
    }
  }

  @Test func `A syntax error says where`() throws {
    let machine = try Machine()
    let error = #expect(throws: LuaError.self) { try machine.vm.load("local x =\nreturn", chunkName: "@bad.lua") }
    #expect(error?.kind == .syntax)
    #expect(error?.message.hasPrefix("bad.lua:2: ") == true)
  }

  @Test func `A table without a position gets one from where it was raised`() throws {
    for error in try failures("\nerror { kind = 'refused', message = 'no more', code = 7 }") {
      #expect(error.message == "no more")
      #expect(error.location == "test.lua:2")
      #expect(error.value?.table?["code"] == 7)
    }
    for error in try failures("\n\nerror { code = 7 }") {
      #expect(error.message == "an error value without a message was raised: a table")
      #expect(error.location == "test.lua:3")
      #expect(error.value == ["code": 7])
    }
    for error in try failures("fail('by a native')") {
      #expect(error.message == "by a native")
      #expect(error.location == "test.lua:1")
      #expect(error.value?.table?["kind"] == "failed")
    }
  }

  @Test(arguments: [
    ("error(nil)", "an error value without a message was raised: a nil"),
    ("error()", "an error value without a message was raised: a nil"),
    ("error(42)", "42"),
    ("error(true)", "an error value without a message was raised: a boolean"),
    ("error(print)", "an error value without a message was raised: a function"),
    ("error(setmetatable({}, { __tostring = function() return 'as text' end }))", "as text"),
    (
      "error(setmetatable({}, { __tostring = function() error('worse') end }))",
      "(an error object whose __tostring fails: a table)"
    ),
    ("error(setmetatable({}, { __tostring = function() return {} end }))", "(an error object whose __tostring fails: a table)"),
    ("error(setmetatable({}, { __index = function() error('no') end }))", "an error value without a message was raised: a table"),
    ("error('plain', 0)", "plain"),
    ("local t = {} t.t = t error(t)", "an error value without a message was raised: a table"),
  ])
  func `Anything can be raised and is told`(code: String, message: String) throws {
    for error in try failures(code) {
      #expect(error.message == message)
      #expect(error.location == "test.lua:1")
    }
  }

  @Test func `The error value itself can be handed on`() throws {
    let machine = try Machine()
    let (thread, _) = try machine.start("thrown = setmetatable({}, {}) error(thrown)")
    let (_, value) = thread.takeFailure()
    let chunk = try machine.vm.load("return (...) == thrown", chunkName: "@c.lua")
    #expect(try machine.vm.callNow(chunk) { $0.ref(value) } == [true])
    machine.vm.release(value)
  }

  @Test func `A mistake in a call names the author's line, not the shipped wrapper's`() throws {
    let machine = try Machine()
    let wrapper = try machine.vm.load(
      "function wrapped(...) local r = misuse(...) return r end\nfunction deeper(...) local r = wrapped(...) return r end",
      chunkName: "=moonpeer.wrapper")
    _ = try machine.vm.callNow(wrapper)
    let calls = [
      "misuse()", "wrapped()", "deeper()", "pcall(deeper) deeper()",
      "for _ in pairs { 1 } do deeper() end", "coroutine.wrap(function() deeper() end)()",
      "setmetatable({}, { __index = function() return deeper() end }).x = 1 local _ = setmetatable({}, { __index = function() deeper() end }).x",
    ]
    for code in calls {
      let message = try #require(machine.failure("\n\n\(code)")).message
      #expect(message == "test.lua:3: used wrongly", "\(code)")
    }
    let sorted = try #require(machine.failure("\ntable.sort({ 1, 2 }, function() deeper() end)"))
    #expect(sorted.message == "test.lua:2: used wrongly")
  }

  @Test func `Errors of the replaced library functions name the author's line`() throws {
    let machine = try Machine()
    for code in [
      "setmetatable(1, {})", "setmetatable({}, 1)", "setmetatable({}, { __gc = print })", "string.rep()", "table.insert(1, 2)",
      "table.move({}, 1, 2)", "xpcall(print)", "load(1)", "collectgarbage('collect')", "coroutine.yield()", "coroutine.resume(1)",
      "setmetatable(setmetatable({}, { __metatable = 1 }), {})",
    ] {
      let message = try #require(machine.failure("\n\(code)")).message
      #expect(message.hasPrefix("test.lua:2: "), "\(code): \(message)")
    }
  }

  @Test func `A close handler that fails replaces the error, as in Lua`() throws {
    for error in try failures(
      "local x <close> = setmetatable({}, { __close = function(_, e) error('closing after ' .. e, 0) end }) error('first', 0)")
    {
      #expect(error.message == "closing after first")
    }
  }
}
