import LuaHost
import Testing

/// What would be busy in C for minutes or centuries, where no hook of Lua's fires: it ends with the run's budget, or at once.
@Suite(.timeLimit(.minutes(5))) struct BlockingTests {
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
