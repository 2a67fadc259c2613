import Testing

/// Ways in which a script can be wrong, each a statement on one line.
struct Fault: Sendable, CustomTestStringConvertible {
  enum Kind: Sendable { case error, budget }

  let name: String
  let kind: Kind
  let code: String

  var testDescription: String { name }

  private static func error(_ name: String, _ code: String) -> Fault { Fault(name: name, kind: .error, code: code) }
  private static func budget(_ name: String, _ code: String) -> Fault { Fault(name: name, kind: .budget, code: code) }

  /// The quick ones, in every hook.
  static let errors = [
    error("an error", "error 'bad'"),
    error("no message", "error()"),
    error("a table", "error { 1, { 2 } }"),
    error("a __tostring that raises", "error(setmetatable({}, { __tostring = function() error 'x' end }))"),
    error("a __tostring that gives no text", "error(setmetatable({}, { __tostring = function() return 5 end }))"),
    error("a __tostring that yields", "error(setmetatable({}, { __tostring = coroutine.yield }))"),
    error("a wrong operation", "local _ = nil .. 'a'"),
    error("a yield", "coroutine.yield()"),
    error("a yield in sort", "table.sort({ 3, 2, 1 }, function() coroutine.yield() end)"),
    error("a wait in gsub", "('x'):gsub('x', function() node:sleep(1) end)"),
    error(
      "a wait in a metamethod", "local _ = #setmetatable({}, { __len = function() node:sleep(1) return 1 end }) error 'still'"),
    error("recursion through C", "local function f() return ('x'):gsub('x', f) end f()"),
    error(
      "recursion through metamethods",
      "local m = {} m.__index = function(t, k) return t[k] .. 'x' end local _ = setmetatable({}, m).x"),
    error("recursion of coroutines", "local function f() coroutine.wrap(f)() end f()"),
    error("a nonsense comparator", "table.sort({ 3, {}, 1 })"),
    error("a huge range", "table.unpack({}, 1, 1 << 60)"),
    error("a huge width", "('%99999d'):format(1)"),
    error("a huge count", "('x'):rep(1 << 62)"),
    error("nothing, a huge number of times", "error(('' ):rep(1 << 60) .. 'bad')"),
  ]

  /// What a decoder gives for a message and its length; told with the reason decode, and as the script's fault.
  static let nonsense = [
    "'m', -1", "'m', 0", "'m', 1000", "'m'", "'m', 2.5", "'m', 'x'", "'m', {}", "nil, 1", "nil, -5", "nil, 2.5", "nil, 'more'",
    "false", "{}, math.mininteger", "node, math.maxinteger", "0/0, 0/0", "1e300, 1e300",
  ].map { error($0, "return \($0)") }

  static let budgets = [
    budget("a loop", "while true do end"),
    budget("a loop of goto", "::again:: goto again"),
    budget("a loop in pcall", "while true do pcall(function() while true do end end) end"),
    budget("a loop in a coroutine", "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end"),
    budget(
      "a loop in __close", "local x <close> = setmetatable({}, { __close = function() while true do end end }) error 'first'"),
    budget("a loop in sort", "while true do pcall(table.sort, { 3, 2, 1 }, function() while true do end end) end"),
    budget("a loop in gsub", "('x'):gsub('x', function() while true do end end)"),
    budget("a loop in a handler", "xpcall(error, function() while true do end end)"),
    budget("a loop in __tostring", "error(tostring(setmetatable({}, { __tostring = function() while true do end end })))"),
    budget("a pattern", "pcall(string.find, ('a'):rep(40), ('a*'):rep(30) .. 'b') while true do end"),
    budget("tables", "local t = {} while true do t = { t, {} } end"),
    budget("strings", "local t = {} while true do t[#t + 1] = ('x'):rep(50000) .. #t end"),
    budget("one string", "local s = 'x' while true do s = s .. s end"),
    budget("closures", "local f = print while true do local g = f f = function() return g end end"),
    budget("coroutines", "local t = {} while true do t[#t + 1] = coroutine.create(print) end"),
  ]
}
