import LuaHost
import Testing

@Suite struct JSONTests {
  @Test(
    arguments: [
      (#"{"a":1,"b":[1,2.5,"x",null,true,false,[],{}]}"#, nil), ("[]", nil), ("{}", nil), ("-0", "0"),
      (#""\u00e9\ud83d\ude00""#, #""é😀""#), (" [1 , 2]\n", "[1,2]"), ("1e3", "1000.0"),
      ("9223372036854775807", nil), ("123456789012345678901234", "1.2345678901234569e+23"), ("0.1", nil),
      (#""\u0000\\""#, nil), (#"{"b":1,"a":2}"#, #"{"a":2,"b":1}"#),
    ] as [(String, String?)])
  func `Text decodes and encodes to the same text, keys sorted`(text: String, expected: String?) throws {
    let harness = try PreludeHarness("function test.round(text) return lib.json.encode(lib.json.decode(text)) end")
    #expect(try harness.call("round") { $0.string(text) }[0].text == expected ?? text)
  }

  @Test(arguments: [
    "", "{", "[1,]", #"{"a":1,}"#, "01", "1.", ".5", "+1", "nul", #""\x""#, #""\ud800""#, #""\ud800\u0041""#,
    "\"a\nb\"", "[1] 2", #"{"a":1,"a":2}"#, "{a:1}", "1e999", "\"abc", "[1 2]", "-", #"{"a"}"#, "\u{FEFF}[]",
  ])
  func `What is not JSON is refused with its place`(text: String) throws {
    let harness = try PreludeHarness(
      "function test.attempt(text) local ok, e = pcall(lib.json.decode, text) return ok, e.kind, e.message end")
    let result = try harness.call("attempt") { $0.string(text) }
    #expect(result[0] == false)
    #expect(result[1].text == "json")
    #expect(result[2].text?.hasPrefix("json: line ") == true)
  }

  @Test func `Depth is bounded`() throws {
    let deep = #"(("["):rep(200) .. ("]"):rep(200))"#
    #expect(try PreludeHarness().failure(of: "json.decode\(deep)")?.contains("nested too deep") == true)
    #expect(try PreludeHarness().failure(of: "json.decode(\(deep), { max_depth = 200 })") == nil)
    #expect(
      try PreludeHarness().failure(of: "local t = {} t.t = t json.encode(t)")?.contains("contains itself") == true)
  }
}
