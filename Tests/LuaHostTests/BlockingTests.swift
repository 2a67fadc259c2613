import LuaHost
import Testing

/// What would be busy in C for minutes or centuries, where no hook of Lua's fires: it ends with the run's budget, or at once.
@Suite(.timeLimit(.minutes(5))) struct BlockingTests {
  private static let many = "local s, t = ('0'):rep(1 << 20), {} for i = 1, 250000 do t[i] = s end"

  /// An empty table of 900,000 elements behind 1,900 others.
  private static let chain = """
    local t = setmetatable({}, { __len = function() return 900000 end, __index = rawlen, __newindex = rawequal }) \
    for i = 1, 1900 do t = setmetatable({}, { __index = t, __newindex = t, __len = function() return 900000 end }) end
    """

  @Test(arguments: [
    "('a'):rep(40):find(('a*'):rep(30) .. 'b')",
    "('a'):rep(40):match(('a?'):rep(40) .. ('a'):rep(40) .. 'b')",
    "for _ in ('a'):rep(40):gmatch(('.-'):rep(30) .. 'b') do end",
    "('a'):rep(40):gsub(('(a*)'):rep(25) .. 'b', 'x')",
    "pcall(string.find, ('a'):rep(40), ('a*'):rep(30) .. 'b') while true do end",
    "while true do pcall(string.find, ('a'):rep(40), ('a*'):rep(30) .. 'b') end",
    "coroutine.wrap(function() pcall(string.find, ('a'):rep(40), ('a*'):rep(30) .. 'b') end)() while true do end",
    "('x'):rep(200000):find('.-.-b')",
    "('('):rep(300000):gsub('%b()', '')",
    "while true do pcall(table.sort, { 3, 2, 1 }, pcall) end",
    "table.concat(setmetatable({}, { __index = table.concat }), '', 1, 1 << 62)",
    "table.sort(setmetatable({}, { __len = function() return 1 << 30 end, __index = rawlen, __newindex = rawequal }))",
    "table.sort(setmetatable({}, { __len = function() return 1 << 30 end, __index = math.type, __newindex = rawequal }), rawequal)",
    "local t, s = {}, ('x'):rep(1 << 20) for i = 1, 60000 do t[i] = s .. i % 8 if #t % 8 == 0 then t[i] = t[1] end end table.sort(t)",
    "local a, b = ('x'):rep(4 << 20) .. 1, ('x'):rep(4 << 20) .. 2 local t = {} for i = 1, 60000 do t[i] = i % 2 == 0 and a or b end table.sort(t)",
    "table.move(setmetatable({}, { __index = rawlen }), 1, 1 << 60, 1, setmetatable({}, { __newindex = rawequal }))",
    "while true do load(('x = 1 '):rep(100000)) end",
    "while true do load(function() return 'x = 1 ' end) end",
    "pcall(table.move, {}, 1, 1 << 62, 1 << 62)",
    // A look-up for an element can be thousands of look-ups.
    "\(chain) table.concat(t, '', 1, 1 << 62)",
    "\(chain) while true do table.unpack(t, 1, 900000) end",
    "\(chain) while true do table.remove(t, 1) end",
    "\(chain) while true do table.insert(t, 1, 1) end",
    "\(chain) table.sort(t)",
    "\(chain) table.move(t, 1, 1 << 40, 1)",
    "\(chain) while true do ('x'):rep(1 << 20):gsub('x', t) end",
    // Metamethods in C that the hook does not see between two elements.
    "table.concat(setmetatable({}, { __len = function() return 1 << 40 end, __index = getmetatable, __metatable = '' }))",
    "table.sort(setmetatable({}, { __len = function() return 1 << 30 end, __index = getmetatable, __metatable = '' }))",
    "while true do table.unpack(setmetatable({}, { __index = getmetatable, __metatable = '' }), 1, 900000) end",
    "local a, b = ('\\0'):rep(4096), ('\\0'):rep(4095) .. 'x' local t = {} for i = 1, 60000 do t[i] = i % 2 == 0 and a or b end table.sort(t)",
  ])
  func `Ends with the budget`(code: String) throws {
    let machine = try Machine(memory: 64 << 20, time: .milliseconds(60))
    let error = try #require(machine.failure(code))
    #expect(error.kind == .time || error.kind == .memory, "\(error.message)")
    #expect(error.message.hasPrefix("test.lua:1: "), "\(error.message)")
    // Of one call in C, and of one that is itself in a coroutine: the machine is whole.
    machine.vm.limits = LuaLimits(memory: 64 << 20, time: .seconds(30))
    #expect(try machine.run("return ('key = value'):match('^(%w+)%s*=%s*(%w+)$')") == ["key", "value"])
  }

  @Test(arguments: [
    "return (''):rep(1 << 62)", "return #('x'):rep(0)", "return pcall(string.rep, 'x', 1 << 62)",
    "return pcall(string.rep, 'x', 1 << 40, 'y')",
    "return pcall(string.format, '%99999d', 1)", "return pcall(string.format, '%.99999f', 1)",
    "return pcall(table.unpack, {}, 1, 1 << 60)",
    "return pcall(table.unpack, {}, -(1 << 62), 1 << 62)", "return pcall(table.concat, {}, '', 1, 1 << 62)",
    "return pcall(string.byte, ('x'):rep(1 << 22), 1, -1)",
    "return pcall(utf8.codepoint, ('x'):rep(1 << 22), 1, -1)",
    "return pcall(table.insert, setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)",
    "return pcall(table.remove, setmetatable({}, { __len = function() return 1 << 60 end }), 1)",
    "return pcall(table.sort, { 3, 1, 2, 5, 4, 7, 6 }, function() return true end)", "return pcall(table.sort, { 3, {}, 2 })",
    "return pcall(table.sort, setmetatable({}, { __len = function() return 1 << 40 end }))", "return pcall(select, -1 << 62)",
    "return utf8.len(('x'):rep(1 << 20)) > 0, utf8.offset(('x'):rep(1 << 20), 1 << 60)", "return pcall(string.pack, 'i17', 1)",
    "return pcall(string.unpack, 's', '\\255\\255\\255\\255\\255\\255\\255\\127')",
    "return ('a'):rep(1 << 23):find(('a'):rep(1 << 22) .. 'b', 1, true)",
    // One long string a quarter of a million times: together the arguments are more than there can be memory for.
    "\(many) return pcall(math.max, table.unpack(t))", "\(many) return pcall(math.min, table.unpack(t))",
    "\(many) return pcall(string.char, table.unpack(t))", "\(many) return pcall(utf8.char, table.unpack(t))",
    "\(many) return pcall(string.pack, ('b'):rep(#t), table.unpack(t))",
    "\(many) return pcall(string.format, ('%c'):rep(#t), table.unpack(t))",
    "\(many) return pcall(string.format, ('%.0s'):rep(#t), table.unpack(t))",
    "return pcall(string.format, '%q', ('\\0'):rep(1 << 23))", "return pcall(os.date, ('%Z'):rep(8000000))",
  ])
  func `Is over at once`(code: String) throws {
    let machine = try Machine(memory: 64 << 20, time: .seconds(20))
    do throws(LuaError) {
      _ = try machine.run(code)
    } catch {
      #expect(error.kind == .memory, "\(error.message)")
    }
    #expect(try machine.run("return 1") == [1])
  }

  @Test func `What goes over the elements of a table with a metatable does as Lua's own`() throws {
    let machine = try Machine()
    let code = """
      local function list(...) return setmetatable({ ... }, { __name = "list" }) end
      local t = list("a", "b", "c")
      assert(table.concat(t) == "abc" and table.concat(t, ", ", 2) == "b, c" and table.concat(t, "-", 3, 2) == "")
      assert(table.concat(t, "", 1, 3) == "abc" and table.concat(list(1, 2.5, "x"), " ") == "1 2.5 x")
      assert(table.concat(setmetatable({}, { __index = function(_, i) return i end }), "", math.maxinteger - 1, math.maxinteger)
        == "92233720368547758069223372036854775807")
      assert(select("#", table.unpack(t)) == 3 and select("#", table.unpack(t, 2, 1)) == 0 and table.unpack(t, 3) == "c")
      assert(select("#", table.unpack(t, math.maxinteger, math.maxinteger)) == 1 and table.unpack("abc", 1, 1) == nil)
      table.insert(t, "d") table.insert(t, 1, "z") table.insert(t, 6, "e")
      assert(table.concat(t) == "zabcde")
      assert(table.remove(t) == "e" and table.remove(t, 1) == "z" and table.remove(t, 2) == "b" and table.remove(t, 4) == nil)
      assert(table.concat(t) == "acd" and #t == 3)
      assert(table.remove(list()) == nil and table.remove(list(), 0) == nil)
      assert(table.move(t, 1, 3, 2) == t and table.concat(t) == "aacd")
      local proxy = setmetatable({}, { __index = t, __newindex = t, __len = function() return #t end })
      assert(table.concat(proxy) == "aacd" and table.remove(proxy, 1) == "a" and table.insert(proxy, 1, "q") == nil)
      assert(table.concat(t) == "qacd")
      for text, call in pairs {
        ["'concat' (table expected"] = function() table.concat(1) end,
        ["invalid value (nil) at index 5 in table for 'concat'"] = function() table.concat(t, "", 1, 5) end,
        ["#2 to 'insert' (position out of bounds)"] = function() table.insert(t, 6, "x") end,
        ["wrong number of arguments to 'insert'"] = function() table.insert(t, 1, 2, 3) end,
        ["#2 to 'remove' (position out of bounds)"] = function() table.remove(t, 6) end,
        ["too many results to unpack"] = function() table.unpack(t, 1, 1 << 40) end,
      } do
        local ok, message = pcall(call)
        assert(not ok and message:find(text, 1, true), message)
      end
      assert(string.format("%q", "ab") == '"ab"' and math.max(1, 2.5) == 2.5 and math.min(3, "2" + 1, 7) == 3)
      return string.char(table.unpack({ 72, 105 })) .. utf8.char(0x21)
      """
    #expect(try machine.run(code) == ["Hi!"])
  }

  @Test func `Sorting is Lua's, however much there is to sort`() throws {
    let machine = try Machine(memory: 64 << 20)
    let code = """
      local t = {} for i = 1, 70000 do t[i] = (i * 7919) % 70001 end table.sort(t)
      for i = 2, #t do assert(t[i - 1] <= t[i]) end
      local s = { ('x'):rep(5000) .. 'b', 'y', ('x'):rep(5000) .. 'a', 'a' } table.sort(s)
      assert(s[1] == 'a' and s[2]:sub(-1) == 'a' and s[3]:sub(-1) == 'b' and s[4] == 'y')
      local v = setmetatable({ 3, 1, 2 }, {}) table.sort(v) assert(table.concat(v) == '123')
      local r = { 1, 2, 3 } table.sort(r, function(a, b) return a > b end) assert(table.concat(r) == '321')
      return #t
      """
    #expect(try machine.run(code) == [70_000])
  }
}
