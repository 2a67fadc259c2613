import LuaHost
import Testing

/// The corners of RFC 8259, and what Lua has that JSON lacks.
@Suite struct JSONCornerTests {
  private static let tools = """
    local json = lib.json
    function test.check(code) return assert(load("local json = ... " .. code))(json) end
    function test.refused(text)
      local ok, cause = pcall(json.decode, text)
      return ok, not ok and cause.kind, not ok and cause.message, not ok and cause.position
    end
    """

  @Test(arguments: [
    // Numbers keep their kind; what 64 bits cannot hold becomes a float.
    "math.type(json.decode '1') == 'integer' and math.type(json.decode '1.0') == 'float'",
    "math.type(json.decode '1e2') == 'float' and json.decode '1E+2' == 100 and json.decode '25e-1' == 2.5",
    "json.decode '9223372036854775807' == math.maxinteger and json.decode '-9223372036854775808' == math.mininteger",
    "math.type(json.decode '9223372036854775808') == 'float' and json.decode '9223372036854775808' == 2.0^63",
    "1 / json.decode '-0.0' == -math.huge and json.decode '1e-400' == 0.0",
    "json.encode(1) == '1' and json.encode(1.0) == '1.0' and json.encode(-0.0) == '-0.0' and json.encode(2.0^53) == '9007199254740992.0'",
    "json.encode(math.mininteger) == '-9223372036854775808' and json.encode(1e100) == '1e+100' and json.encode(0.1) == '0.1'",
    "json.decode(json.encode(0.1 + 0.2)) == 0.1 + 0.2 and json.decode(json.encode(5e-324)) == 5e-324",
    "math.type(json.decode(json.encode(1e15))) == 'float'",
    // Strings: every escape, pairs in any case, the last code point, NUL and DEL.
    #"json.decode [["\"\\\/\b\f\n\r\t"]] == '"\\/\b\f\n\r\t'"#,
    #"json.decode [["\uD83D\uDE00\ud83d\ude00"]] == '😀😀' and json.decode [["\uDBFF\uDFFF"]] == utf8.char(0x10FFFF)"#,
    #"json.decode [["\u0000x\u00e9"]] == '\0xé' and json.decode '"\127"' == '\127'"#,
    #"json.encode '\0\31\127"\\/é' == [["\u0000\u001f\u007f\"\\/é"]]"#,
    #"json.decode(json.encode(string.char(table.unpack((function() local t = {} for i = 0, 127 do t[i + 1] = i end return t end)())))):len() == 128"#,
    // Empty arrays and objects stay what they are; null stays in its place.
    "json.encode(json.decode '[]') == '[]' and json.encode(json.decode '{}') == '{}' and json.encode {} == '{}'",
    "json.encode(json.array()) == '[]' and json.encode(json.array { 1 }) == '[1]' and json.encode { json.array(), {} } == '[[],{}]'",
    "json.encode(json.decode '[null,1,null]') == '[null,1,null]' and json.decode 'null' == json.null and json.encode(nil) == 'null'",
    "json.decode '{\"a\":null}'.a == json.null and tostring(json.null) == 'null' and #json.decode '[null]' == 1",
    "not pcall(function() json.null.x = 1 end)",
    "json.decode '{\"\":1}'[''] == 1 and json.encode { [''] = 1 } == '{\"\":1}'",
    "json.decode ' \\t\\r\\n[ ] \\n' ~= nil and json.encode(json.decode '{ \"a\" : [ 1 , { } ] }') == '{\"a\":[1,{}]}'",
    // The depth counts both ways, and can be set.
    "pcall(json.decode, ('['):rep(128) .. (']'):rep(128)) and not pcall(json.decode, ('['):rep(129) .. (']'):rep(129))",
    "json.decode('[[1]]', { max_depth = 2 }) and not pcall(json.decode, '[[1]]', { max_depth = 1 })",
    "json.decode('5', { max_depth = 0 }) == 5 and json.encode(5, { max_depth = 0 }) == '5' and not pcall(json.encode, {}, { max_depth = 0 })",
  ])
  func `holds`(condition: String) throws {
    let harness = try PreludeHarness(Self.tools)
    #expect(try harness.call("check") { $0.string("return \(condition)") }.first?.bool == true)
  }

  @Test(arguments: [
    // Not UTF-8: a lone byte, cut short, overlong, a surrogate, over the last code point.
    (#""\255""#, 2), (#""a\195""#, 3), (#""\192\175""#, 2), (#""\237\160\128""#, 2), (#""\244\144\128\128""#, 2),
    (#""\\udc00""#, 2), (#""\\ud83dx""#, 2), (#""\\ud83d\\n""#, 2), (#""\\ud83d\\ud83d""#, 2), (#""\\u12G4""#, 4),
    (#""\\u+123""#, 4),
    (#""\0""#, 2), ("[1,,2]", 4), ("[,1]", 2), ("{,}", 2), ("[1", 3), ("{\"a\":1", 7), ("{\"a\"", 5), ("{1:2}", 2), ("tru", 1),
    ("truex", 1), ("NaN", 1), ("Infinity", 1), ("-Infinity", 1), ("0x10", 1), ("1_000", 2), ("1e", 1), ("1.e1", 1), ("--1", 1),
    ("-01", 1), ("1e400", 1), ("'a'", 1), ("[1]]", 4), ("// c\\n1", 1), ("\\v1", 1), ("\"\\\\\"", 1), ("\"\\\\", 2),
  ])
  func `is refused with its place`(literal: String, position: Int64) throws {
    let harness = try PreludeHarness(Self.tools + "\nfunction test.literal(code) return test.refused(code) end")
    let text = try harness.call("check") { $0.string("return \"" + Self.escaped(literal) + "\"") }[0].bytes ?? []
    let result = try text.withUnsafeBytes { bytes in try harness.call("refused") { $0.bytes(bytes) } }
    #expect(result[0] == false)
    #expect(result[1] == "json")
    #expect(result[3].int == position, "\(result)")
  }

  /// The literals above are the inside of a Lua string, but for their quotes.
  private static func escaped(_ literal: String) -> String {
    literal.map { $0 == "\"" ? "\\\"" : String($0) }.joined()
  }

  @Test(arguments: [
    ("0/0", "is not a finite number"), ("math.huge", "is not a finite number"),
    ("{ a = { -math.huge } }", "a[1] is not a finite number"),
    ("print", "the value is a function, which JSON does not have"), ("{ x = { y = print } }", "x.y is a function"),
    ("'\\255'", "is a string that is not UTF-8"), ("{ a = '\\255' }", "a is a string that is not UTF-8"),
    ("{ 1, nil, 3, n = 3 }", "array with holes, or with keys that are not its positions"),
    ("{ 1, x = 2 }", "array with holes, or with keys that are not its positions"), ("{ [2] = 1 }", "has the key integer 2"),
    ("{ [true] = 1 }", "has the key boolean true"), ("{ [1.5] = 1 }", "has the key float 1.5"),
    ("json.array { x = 1 }", "array with holes"), ("coroutine.create(print)", "is a thread"),
  ])
  func `cannot be said in JSON, and the path is named`(value: String, words: String) throws {
    let message = try #require(try PreludeHarness().failure(of: "json.encode(\(value))"))
    #expect(message.contains(words))
    #expect(try PreludeHarness().failure(of: "json.encode(1, { depth = 1 })")?.contains("unknown option") == true)
    #expect(
      try PreludeHarness().failure(of: "json.decode(5)")?.contains("json.decode: the text must be a string, got integer 5")
        == true)
  }
}
