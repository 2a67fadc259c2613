import Glibc
import LuaHost
import PlainLua
import Testing

/// string.find, match, gmatch and gsub are written anew, so that a budget can end them: the same program must say the same
/// in a Lua that has its own.
@Suite(.timeLimit(.minutes(5))) struct PatternTests {
  /// Random patterns, subjects and replacements from a generator of its own; what each of them came to, a line each.
  private static func program(seed: Int, count: Int) -> String {
    #"""
    local state = SEED
    local function random(n)
      state = (state * 1103515245 + 12345) % 2147483648
      return (state >> 8) % n + 1
    end
    local items = { "a", "b", "c", ".", "%a", "%d", "%w", "%s", "%p", "%x", "%z", "%l", "%u", "%c", "%g", "%A", "%S", "[ab]", "[^a]",
      "[a-c]", "[%a_]", "[]]", "[^]]", "[%]]", "[a-]", "[%a-z]", "[^%s]", "%b()", "%bab", "%baa", "%f[%w]", "%f[^%w]", "%f[a]",
      "%1", "%2", "%0", "%9", "(", ")", "()", "(a)", "(.)", "(.-)", "(%a*)", "$", "^", "%", "[", "[^", "[a", "%b", "%f", "%f[",
      "-", "*", "+", "?", "\0", "%%", "%.", "é", "\xff", "%é" }
    local quantifiers = { "", "", "", "", "*", "+", "-", "?" }
    local letters = { "a", "b", "c", "A", "1", " ", "(", ")", "]", "%", "^", "$", "-", ".", "\0", "\n", "_", "é", "\xff" }
    local replacements = { "%0", "%1", "<%1>", "%2", "%%", "%", "%x", "x", "", "%0%0", 7, { a = "X", b = false, c = 3, ab = {} },
      function(x) return x end, function(_, y) return y end, function() return nil end, function() return {} end }
    local function made(list, most)
      local parts = {}
      for i = 1, random(most) - 1 do parts[i] = list[random(#list)] end
      return table.concat(parts)
    end
    local function pattern()
      local parts = { random(6) == 1 and "^" or "" }
      for i = 1, random(6) do parts[i + 1] = items[random(#items)] .. quantifiers[random(#quantifiers)] end
      if random(6) == 1 then parts[#parts + 1] = "$" end
      return table.concat(parts)
    end
    local function shown(...)
      local values = table.pack(...)
      for i = 1, values.n do
        local v = values[i]
        values[i] = type(v) == "string" and ("%q"):format(v):gsub("\n", "n") or tostring(v)
      end
      return table.concat(values, " ")
    end
    local function each(s, p, ...)
      local found = {}
      for a, b in string.gmatch(s, p, ...) do
        found[#found + 1] = tostring(a) .. "," .. tostring(b)
        if #found > 40 then break end
      end
      return table.concat(found, ";")
    end
    local lines = {}
    for i = 1, COUNT do
      local s, p, init = made(letters, 14), pattern(), random(24) - 12
      if init > 5 then init = nil end
      local kind, result = random(6), nil
      if kind == 1 then result = shown(pcall(string.find, s, p, init))
      elseif kind == 2 then result = shown(pcall(string.match, s, p, init))
      elseif kind == 3 then result = shown(pcall(each, s, p, init))
      elseif kind == 4 then result = shown(pcall(string.find, s, made(letters, 4), init, random(2) == 1))
      else result = shown(pcall(string.gsub, s, p, replacements[random(#replacements)], random(3) == 1 and random(4) - 1 or nil)) end
      lines[i] = shown(kind, s, p, init) .. " → " .. result
    end
    return table.concat(lines, "\n")
    """#.replacing("SEED", with: "\(seed)").replacing("COUNT", with: "\(count)")
  }

  private func same(_ code: String) throws {
    let machine = try Machine(memory: 256 << 20, time: .seconds(120))
    let ours = try machine.run(code).first?.bytes ?? []
    let text = plain_lua(code)!
    defer { free(text) }
    let theirs = UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }
    guard ours != theirs else { return }
    let left = ours.split(separator: 10, omittingEmptySubsequences: false)
    let right = theirs.split(separator: 10, omittingEmptySubsequences: false)
    #expect(left.count == right.count)
    for (a, b) in zip(left, right) where a != b {
      Issue.record("ours: \(String(decoding: a, as: UTF8.self)), Lua's: \(String(decoding: b, as: UTF8.self))")
      return
    }
  }

  @Test(arguments: [1, 2, 3, 4])
  func `Random patterns come to what they come to in Lua itself, errors included`(seed: Int) throws {
    try same(Self.program(seed: seed, count: 8_000))
  }

  @Test func `The corners are Lua's too`() throws {
    try same(
      #"""
      local lines = {}
      local function try(f, ...)
        local values = table.pack(pcall(f, ...))
        for i = 1, values.n do values[i] = tostring(values[i]) end
        lines[#lines + 1] = table.concat(values, "|"):gsub("\0", "0")
      end
      local deep = ("("):rep(33) .. "a" .. (")"):rep(33)
      try(string.find, "a", deep)
      try(string.find, "a", ("("):rep(32) .. "a" .. (")"):rep(32))
      try(string.find, ("a"):rep(300), ("a?"):rep(300))
      try(string.find, ("a"):rep(250), (".-"):rep(250) .. "b")
      try(string.match, "abc", "()a()", -3)
      try(string.match, 12345, 3)
      try(string.gsub, 123, 2, 9)
      try(string.gsub, "abc", "", "-")
      try(string.gsub, "abc", "%w", "%1")
      try(string.gsub, "abc", "()", "%1")
      try(string.gsub, "hello world", "o", "0", 1)
      try(string.gsub, "hello", "l", "x", -1)
      try(string.gsub, "abc", "b", true)
      try(string.gsub, "abc", "(b", "x")
      try(string.gsub, "abc", "b)", "x")
      try(string.find, "abc", "b", 10)
      try(string.find, "", "")
      try(string.find, "abc", "", 4)
      try(string.find, "abc", "", 5)
      try(string.find, "a\0b", "\0", 1, true)
      try(string.find, ("ab"):rep(100) .. "abc", "abc", 1, true)
      try(string.find, ("ab"):rep(100) .. "ab", "abc", 1, true)
      try(string.find, "x", {})
      try(string.find)
      for k, v in string.gmatch("k1=v1, k2=v2", "(%w+)=(%w+)") do lines[#lines + 1] = k .. v end
      for w in string.gmatch("abc", "", 3) do lines[#lines + 1] = "at" .. #w end
      for w in string.gmatch("^a^a", "^a") do lines[#lines + 1] = w end
      return (table.concat(lines, "\n"):gsub("bad argument #(%d) to '[^']*'", "bad argument %1"))
      """#)
  }
}
