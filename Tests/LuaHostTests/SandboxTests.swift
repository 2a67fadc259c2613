import LuaHost
import Testing

/// What a script cannot reach without being trusted.
struct SandboxTests {
  @Test(arguments: [
    "io", "package", "dofile", "loadfile", "os.execute", "os.exit", "os.remove", "os.rename", "os.getenv", "os.tmpname",
    "os.setlocale", "string.dump", "debug.sethook", "debug.gethook", "debug.getregistry", "debug.getinfo", "debug.getlocal",
    "debug.setlocal", "debug.getmetatable", "debug.setmetatable", "debug.getupvalue", "debug.setupvalue",
    "debug.upvaluejoin", "debug.getuservalue", "debug.debug", "debug.setcstacklimit",
  ])
  func `Is absent`(name: String) throws {
    #expect(try Machine().run("return \(name)") == [nil])
  }

  @Test func `What is left is what was decided`() throws {
    let names = try Machine().run(
      """
      local found = {}
      for name, value in pairs(_G) do
        if type(value) ~= 'table' then found[#found + 1] = name
        elseif value ~= _G then for key in pairs(value) do found[#found + 1] = name .. '.' .. key end end
      end
      table.sort(found)
      local kept = {}
      for _, name in ipairs(found) do
        if name:find('^os%.') or name:find('^debug%.') or name:find('^coroutine%.') or not name:find('%.') then kept[#kept + 1] = name end
      end
      return table.concat(kept, ' ')
      """)
    let expected =
      "_VERSION assert back collectgarbage coroutine.close coroutine.create coroutine.isyieldable coroutine.resume "
      + "coroutine.running coroutine.status coroutine.wrap coroutine.yield debug.traceback echo error fail "
      + "getmetatable ipairs load misuse next os.clock os.date os.difftime os.time pairs park pcall print rawequal "
      + "rawget rawlen rawset select setmetatable tonumber tostring type warn xpcall"
    #expect(names == [LuaValue(expected)])
  }

  @Test(arguments: [
    ("setmetatable({}, { __gc = function() end })", "__gc is not available"),
    ("local m = {} setmetatable({}, m) m.__gc = print setmetatable({}, m)", "__gc is not available"),
    ("collectgarbage('collect')", "only \"count\""),
    ("collectgarbage('stop')", "only \"count\""),
    ("collectgarbage('generational')", "only \"count\""),
    ("getmetatable('').__index = nil", "attempt to index a boolean"),
    ("setmetatable(getmetatable(''), {})", "table expected"),
    ("assert(load('\\27Lua'))", "binary"),
    ("assert(load('\\27Lua', 'x', 'b'))", "only source text"),
    ("assert(load('return 1', 'x', 'b'))", "only source text"),
    ("assert(load(function() return nil end, 'x', 'b'))", "only source text"),
    ("local done assert(load(function() if not done then done = true return '\\27Lua' end end))", "binary"),
    ("assert(load('return 1', '=moonpeer.mine'))", "are taken"),
    ("string.dump(print)", "attempt to call a nil value"),
    ("os.date('%Ez')", "invalid conversion specifier"),
  ])
  func `Is refused`(code: String, message: String) throws {
    let error = try #require(try Machine().failure(code))
    #expect(error.message.contains(message), "\(error.message)")
  }

  /// What a hook ran in serves later ones: a script that kept it must not get into their way.
  @Test func `A host's coroutine can be named, and neither resumed nor closed`() throws {
    let machine = try Machine()
    let (idle, status) = try machine.start("kept = coroutine.running() return print, print")
    #expect(status == .finished)
    let (waiting, parked) = try machine.start("waiting = coroutine.running() return park()")
    #expect(parked == .parked)
    let code = """
      local words = {}
      for _, co in ipairs { kept, waiting, (coroutine.running()) } do
        local function add(...) for i = 1, select('#', ...) do words[#words + 1] = tostring((select(i, ...))) end end
        add(coroutine.resume(co, print))
        add(pcall(coroutine.close, co))
        add(pcall(coroutine.wrap(function() return coroutine.close(co) end)))
        add(coroutine.status(co) == 'normal' or co == coroutine.running())
      end
      return table.concat(words, ' ')
      """
    let refused = "false cannot resume non-suspended coroutine false cannot close a"
    let results = try machine.run(code)
    #expect(results.first?.text?.components(of: refused) == 3, "\(results)")
    #expect(machine.vm.resume(waiting) { $0.integer(5) } == .finished)
    #expect(try waiting.results() == [5])
    #expect(try machine.start("return 7", in: idle).status == .finished)
    #expect(try idle.results() == [7])
  }

  @Test func `A binary chunk is refused for the host too`() throws {
    let machine = try Machine(libraries: .trusted)
    let binary = try machine.run("return string.dump(function() return 1 end)").first?.bytes ?? []
    #expect(binary.starts(with: [27]))
    for name in ["@bad.luac", ""] {
      let result = binary.withUnsafeBytes { bytes in
        Result { () throws(LuaError) in try machine.vm.load(bytes, chunkName: name) }
      }
      #expect(throws: LuaError.self) { try result.get() }
      if case .failure(let error) = result {
        #expect(error.kind == .syntax)
        #expect(error.message.contains("binary chunk"))
      }
    }
  }

  /// `math` is empty until it is looked into, which nothing may show.
  @Test(arguments: [
    "return math.pi > 3 and math.nothing == nil", "local pi for k in pairs(math) do pi = pi or k == 'pi' end return pi",
    "local pi for k in next, math do pi = pi or k == 'pi' end return pi", "return next(math) ~= nil",
    "return rawget(math, 'floor')(1.5) == 1", "math.x = 1 return math.x == 1 and math.abs(-1) == 1",
    "math.pi = 3 return math.pi == 3 and math.huge > 3", "rawset(math, 'pi', 3) return math.pi == 3 and math.huge > 3",
    "return getmetatable(math) == nil and math.pi ~= nil", "setmetatable(math, nil) return math.pi ~= nil",
    "setmetatable(math, { __index = function(_, k) return k end }) return math.zzz == 'zzz' and math.pi > 3",
    "local m = math math = nil return m.max(1, 2) == 2 and next(m) ~= nil",
    "math.randomseed(7) local a = math.random() math.randomseed(7) return a == math.random()",
    "local e = {} return next(e) == nil and next(e, nil) == nil and getmetatable(e) == nil and rawget(e, 1) == nil",
    "return not pcall(next) and not pcall(next, {}, 'x') and not pcall(rawget, {}) and not pcall(getmetatable)",
    "local t = setmetatable({}, { __metatable = 5 }) return getmetatable(t) == 5 and getmetatable('') == false",
  ])
  func `math is as Lua has it`(code: String) throws {
    #expect(try Machine().run(code) == [true])
  }

  @Test func `load works for text, with name, environment and parts`() throws {
    let machine = try Machine()
    #expect(try machine.run("return load('return 1 + 1')()") == [2])
    #expect(try machine.run("return load('return x', 'c', 't', { x = 5 })()") == [5])
    #expect(try machine.run("x = 6 return load('return x', 'c', 'bt')()") == [6])
    #expect(try machine.run("return load('return x', 'c', nil, {})()") == [nil])
    #expect(try machine.run("local n = 0 return load(function() n = n + 1 return ({ 'return ', '7' })[n] end)()") == [7])
    let wrong = try machine.run("return load('return +', '=mine')")
    #expect(wrong == [nil, "mine:1: unexpected symbol near '+'"])
  }

  @Test func `The replaced functions do what Lua's do`() throws {
    let machine = try Machine()
    #expect(try machine.run("return table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ',')") == ["1,1,2,3"])
    #expect(try machine.run("return table.concat(table.move({ 1, 2, 3 }, 2, 3, 1), ',')") == ["2,3,3"])
    #expect(try machine.run("return table.concat(table.move({ 1, 2 }, 1, 2, 3, { 8, 9 }), ',')") == ["8,9,1,2"])
    #expect(try machine.run("return #table.move({ 1, 2 }, 1, 0, 1, { 7 })") == [1])
    #expect(
      try machine.run(
        "local t = setmetatable({}, { __index = function(_, i) return i * 2 end }) return table.move(t, 1, 3, 1, {})") == [
          [2, 4, 6]
        ])
    #expect(
      try machine.run("return ('ab'):rep(3, '-'), ('x'):rep(0), ('x'):rep(-1), (''):rep(1 << 62)") == ["ab-ab-ab", "", "", ""])
    #expect(
      try machine.run(
        "local t = { 1, 3 } table.insert(t, 2, 2) table.insert(t, 4) return t, table.remove(t), table.remove(t, 1), t") == [
          [2, 3], 4, 1, [2, 3],
        ])
    #expect(try machine.run("return xpcall(function(...) return ... end, print, 1, nil, 3)") == [true, 1, nil, 3])
    #expect(try machine.run("return xpcall(error, function(e) return e .. '!' end, 'x')") == [false, "x!"])
    #expect(
      try machine.run("return (select(2, xpcall(error, debug.traceback, 'x', 0))):match('^x\\nstack traceback')") == [
        "x\nstack traceback"
      ])
    #expect(try machine.run("return xpcall(function() error('a', 0) end, function() error('b', 0) end)").first == false)
    #expect(
      machine.failure("table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)")?.message.contains(
        "__len") == true)
    #expect(
      try machine.run(
        "local t = setmetatable({}, { a = 1 }) return getmetatable(t).a, setmetatable(t, nil) == t, getmetatable(t)") == [
          1, true, nil,
        ])
    #expect(try machine.run("return collectgarbage('count') > 1, collectgarbage() > 1") == [true, true])
  }

  @Test func `Trusted code has the full set, and our coroutines everywhere`() throws {
    let machine = try Machine(libraries: .trusted)
    #expect(
      try machine.run("return type(io.open), type(os.execute), type(debug.sethook), type(package.loadlib), type(string.dump)")
        == ["function", "function", "function", "function", "function"])
    #expect(try machine.run("return package.loaded.coroutine == coroutine, require('coroutine') == coroutine") == [true, true])
    #expect(try machine.finish("return require('coroutine').wrap(function() return park() end)()") == [1])
  }
}

extension String {
  /// How often `part` stands in it.
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
