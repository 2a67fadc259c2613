import Testing

/// What is wrong is said where it is wrong: the author's line for a mistake, the connection's end for a lie.
@Suite struct CodecRefusalTests {
  @Test(arguments: [
    ("codec.lines { delimeter = 'x' }", #"codec.lines: unknown option "delimeter"; did you mean "delimiter"?"#),
    ("codec.lines { max = '1XiB' }", "codec.lines: max: not a size: 1XiB"),
    ("codec.lines { max = 0 }", "max must be at least 1 byte"),
    ("codec.lines { max = math.maxinteger }", "codec.lines: max can be at most 1024GiB"),
    ("codec.length_prefixed { width = 8, max = 1 << 41 }", "max can be at most 1024GiB"),
    ("codec.bytes { max = (1 << 40) + 1 }", "max can be at most 1024GiB"),
    ("codec.custom { max = math.maxinteger, decode = print }", "max can be at most 1024GiB"),
    ("codec.fixed(1 << 50)", "the size of a message can be at most 1024GiB"),
    ("codec.lines 'x'", "a table of options is expected"),
    ("codec.length_prefixed { width = 5 }", "width must be 1, 2, 3, 4, 8 or \"varint\", got integer 5"),
    ("codec.length_prefixed { width = 1, max = 300 }", "a width of 1 can say no more than 255"),
    ("codec.length_prefixed { width = 'varint', length_includes_header = true }", "no meaning with a varint"),
    ("codec.fixed(0)", "the size of a message in bytes is expected"),
    ("codec.packed 'I4q'", "invalid format option 'q'"),
    ("codec.packed ''", "it holds no value"),
    ("codec.packed 'c0'", "it takes no bytes"),
    ("codec.packed '!4 I4s2'", "alignment"),
    ("codec.struct { { 'a', 'u9' } }", "a type is a string.pack option"),
    ("codec.struct { { 'a', 'I4' }, { 'a', 'I4' } }", "two fields are named \"a\""),
    ("codec.struct { { 'a', '<I4' } }", "byte order"),
    ("codec.union { { 300, 'a' } }", "does not fit"),
    ("codec.union { { 1, 'a', codec.lines() } }", "cannot follow a tag"),
    ("codec.union { { 1, 'a', codec.lines } }", "call it, as in codec.lines()"),
    ("codec.union { { 1, 'a', codec.struct { { 'type', 'I4' } } } }", "cannot be named \"type\""),
    ("codec.map(codec.lines)", "call it, as in codec.lines()"),
    ("codec.map(codec.lines(), codec.lines())", "cannot be inside another's messages"),
    ("codec.framed { header = 9 }", "size must be a function"),
    ("codec.framed { header = 9, size = print, max = 4 }", "a header of 9 bytes is over the max of 4"),
    ("codec.custom {}", "decode must be a function"),
  ])
  func `A mistake names itself and the author's line`(code: String, words: String) throws {
    let message = try #require(try PreludeHarness().failure(of: code))
    #expect(message.contains(words))
    #expect(message.hasPrefix("author:2: "))
  }

  @Test(arguments: [
    (#"codec.packed("s4", { max = 10 }).decode_view(view_of("\255\255\255\255"))"#, "over the max of 10"),
    (#"codec.packed("s8").decode_view(view_of(("\255"):rep(8)))"#, "over the max"),
    (#"codec.packed("z", { max = 10 }).decode_view(view_of(("x"):rep(11)))"#, "no end of a text within 10 bytes"),
    (#"codec.union { { 1, "a" } }.decode("\77")"#, "no kind of message has the tag 77"),
    (#"codec.union { { 1, "a" } }.size_of("\77")"#, "no kind of message has the tag 77"),
    (
      #"codec.union { { 1, "a", codec.length_prefixed() }, max = 64 }.decode_view(view_of("\1\255\255\255\255"))"#,
      "a length of 4294967295"
    ),
    (#"codec.struct { { "b", "bool" } }.decode("\7")"#, "a bool is 0 or 1, got 7"),
    (#"codec.map(codec.length_prefixed(), codec.packed "I2").decode("abc")"#, "1 bytes after a record"),
    (#"codec.map(codec.length_prefixed(), codec.packed "I2").decode("a")"#, "does not fit its format"),
    (#"codec.invalid "empty message""#, "empty message"),
  ])
  func `A lie on the wire is an error of kind decode`(code: String, words: String) throws {
    let kind = try PreludeHarness().failure(
      of: "local ok, cause = pcall(function() return \(code) end) error(cause.kind .. ': ' .. cause.message, 0)")
    #expect(kind?.hasPrefix("decode: ") == true)
    #expect(kind?.contains(words) == true)
  }

  @Test(arguments: [
    (#"codec.struct { { "id", "u8" } }.encode { id = -1 }"#, #"field "id""#),
    (#"codec.struct { { "id", "u8" } }.encode {}"#, #"field "id" is missing"#),
    (#"codec.union { { 1, "ping" } }.encode { type = "pinc" }"#, #"did you mean "ping"?"#),
    (#"codec.packed("I4s2").encode { 1, {} }"#, "value 2: string expected, got table"),
    (#"codec.packed("s2", { max = 10 }).encode(("x"):rep(11))"#, "over the codec's max of 10"),
    (#"codec.map(codec.lines(), { encode = function() return 5 end }).encode "a""#, "must return a string of bytes"),
  ])
  func `A message that cannot be sent says which part of it`(code: String, words: String) throws {
    #expect(try PreludeHarness().failure(of: code)?.contains(words) == true)
  }
}
