import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// A codec, messages of it as Lua, and the bytes they are on the wire.
struct WireCase: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var codec: String
  var messages: String
  var wire: [[UInt8]]

  init(_ name: String, _ codec: String, _ messages: String, _ wire: [[UInt8]]) {
    testDescription = name
    self.codec = codec
    self.messages = messages
    self.wire = wire
  }
}

/// Each codec against a client that is not ours: its bytes in pieces, its frames together, and what comes back.
@Suite(.onEveryBackend, .serialized, .timeLimit(.minutes(5))) struct CodecWireTests {
  @Test(arguments: prefixed + others)
  func `What a plain client writes arrives as messages however it is cut, and comes back the same`(given: WireCase) async throws {
    let text = script(
      """
      codec = \(given.codec),
      init = function(node) node.state.count = 0 end,
      process_message = function(node, conn, m)
        local i = node.state.count % #wanted + 1
        node.state.count = node.state.count + 1
        if not same(m, wanted[i]) then error("message " .. node.state.count .. " is " .. shown(m)) end
        conn:send(m)
      end,
      """, before: "local wanted = { \(given.messages) }")
    try await withNode(text, logger: .quiet) { node in
      let client = try RawClient(await node.node.address!)
      let stream = given.wire.flatMap(\.self)
      try await client.writeByteByByte(stream)
      #expect(try await client.read(stream.count) == stream)
      for cut in 1..<max(2, min(stream.count, 64)) {
        try await client.write(stream[..<cut])
        // The reply to what is whole so far is there before the rest leaves, so the cut is seen by the node.
        var whole = 0
        for frame in given.wire {
          guard whole + frame.count <= cut else { break }
          whole += frame.count
        }
        #expect(try await client.read(whole) == Array(stream[..<whole]))
        try await client.write(stream[cut...])
        #expect(try await client.read(stream.count - whole) == Array(stream[whole...]))
      }
      let many = Array(repeatElement(stream, count: 50).joined())
      try await client.write(many)
      #expect(try await client.read(many.count) == many)
    }
  }

  @Test func `bytes hands over chunks as they come; none is lost or added`() async throws {
    try await withNode(
      script("codec = codec.bytes { max = 7 }, process_message = function(_, c, m) assert(#m > 0 and #m <= 7) c:send(m) end")
    ) { node in
      let client = try RawClient(await node.node.address!)
      let stream = (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
      try await client.write(stream)
      #expect(try await client.read(stream.count) == stream)
      try await client.writeByteByByte(stream[..<100])
      #expect(try await client.read(100) == Array(stream[..<100]))
    }
  }

  /// Every width, order and kind of length.
  private static let prefixed: [WireCase] = {
    var cases: [WireCase] = []
    let bodies: [[UInt8]] = [[], [97], Array(repeating: 120, count: 200), [0, 255, 10]]
    let messages = #""", "a", ("x"):rep(200), "\0\255\n""#
    for width in [1, 2, 3, 4, 8] {
      for endian in ["big", "little"] {
        for includes in [false, true] {
          let wire = bodies.map { body in
            let value = body.count + (includes ? width : 0)
            let big = (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * (width - 1 - $0))) }
            return (endian == "big" ? big : big.reversed()) + body
          }
          let codec = "codec.length_prefixed { width = \(width), endian = '\(endian)', length_includes_header = \(includes) }"
          cases.append(WireCase("length_prefixed \(width) \(endian) \(includes)", codec, messages, wire))
        }
      }
    }
    let varint: [[UInt8]] = [
      [0], [1, 97], [127] + Array(repeating: 120, count: 127), [128, 1] + Array(repeating: 120, count: 128),
      [128, 128, 1] + Array(repeating: 120, count: 16384),
    ]
    cases.append(
      WireCase(
        "length_prefixed varint", "codec.length_prefixed { width = 'varint' }",
        #""", "a", ("x"):rep(127), ("x"):rep(128), ("x"):rep(16384)"#, varint))
    return cases
  }()

  private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private static let others: [WireCase] = [
    WireCase("lines", "codec.lines()", #""one", "", "three\r""#, [bytes("one\n"), bytes("\n"), bytes("three\r\n")]),
    WireCase(
      "lines with a long delimiter", #"codec.lines { delimiter = "\r\n--\r\n" }"#, #""a\r\n--\r", "", "b""#,
      [bytes("a\r\n--\r\r\n--\r\n"), bytes("\r\n--\r\n"), bytes("b\r\n--\r\n")]),
    WireCase("fixed", "codec.fixed(3)", #""abc", "\0\1\2""#, [bytes("abc"), [0, 1, 2]]),
    WireCase("packed, one value", #"codec.packed "I4""#, "1, 0xFFFFFFFF", [[0, 0, 0, 1], [255, 255, 255, 255]]),
    WireCase("packed, little", #"codec.packed "<i2 >i2""#, "{ -2, 1 }", [[254, 255, 0, 1]]),
    WireCase(
      "packed, variable", #"codec.packed "I1 s2 z""#, #"{ 7, "ab", "" }, { 0, "", "zed" }"#,
      [[7, 0, 2, 97, 98, 0], [0, 0, 0, 122, 101, 100, 0]]),
    WireCase(
      "struct", #"codec.struct { { "id", "u16" }, { "on", "bool" }, { "f", "f32" } }"#, "{ id = 258, on = true, f = 1.5 }",
      [[1, 2, 1, 0x3F, 0xC0, 0, 0]]),
    WireCase(
      "struct, little and variable", #"codec.struct { { "n", "int32" }, { "name", "s1" }, { "z", "z" }, endian = "little" }"#,
      #"{ n = -1, name = "ab", z = "c" }, { n = 1, name = "", z = "" }"#,
      [[255, 255, 255, 255, 2, 97, 98, 99, 0], [1, 0, 0, 0, 0, 0]]),
    WireCase(
      "union, fixed sizes",
      #"codec.union { { 1, "ping", codec.struct { { "n", "u16" } } }, { 2, "bye" }, { 9, "three", codec.fixed(3) } }"#,
      #"{ type = "ping", n = 5 }, { type = "bye" }, { type = "three", value = "abc" }"#, [[1, 0, 5], [2], [9, 97, 98, 99]]),
    WireCase(
      "union, variable",
      #"codec.union { tag = "u16", endian = "little", { 1, "data", codec.length_prefixed { width = 2 } }, { 2, "rec", codec.packed "I1s1" }, { 300, "bye" } }"#,
      #"{ type = "data", value = "xy" }, { type = "rec", value = { 1, "q" } }, { type = "bye" }"#,
      [[1, 0, 0, 2, 120, 121], [2, 0, 1, 1, 113], [44, 1]]),
    WireCase(
      "map, JSON in frames", "codec.map(codec.length_prefixed { width = 1 }, { decode = json.decode, encode = json.encode })",
      #"{ a = 1 }, "x", 5"#, [[7] + bytes(#"{"a":1}"#), [3] + bytes(#""x""#), [1] + bytes("5")]),
    WireCase(
      "map, numbers in lines", "codec.map(codec.lines(), { decode = math.tointeger, encode = tostring })", "1, 22, -3",
      [bytes("1\n"), bytes("22\n"), bytes("-3\n")]),
    WireCase(
      "map, a union in frames",
      #"codec.map(codec.length_prefixed { width = 2 }, codec.union { { 1, "a", codec.packed "I2" }, { 2, "b" } })"#,
      #"{ type = "a", value = 7 }, { type = "b" }"#, [[0, 3, 1, 0, 7], [0, 1, 2]]),
    WireCase(
      "framed",
      """
      codec.framed { header = 3, max = 64, size = function(h) return 3 + string.unpack(">I2", h, 2) end,
        decode = function(f) return { tag = f:byte(), body = f:sub(4) } end,
        encode = function(m) return string.pack(">BI2", m.tag, #m.body) .. m.body end }
      """, #"{ tag = 1, body = "" }, { tag = 255, body = "hello" }"#, [[1, 0, 0], [255, 0, 5] + bytes("hello")]),
    WireCase(
      "framed, frames as they are", "codec.framed { header = 1, size = function(h) return h:byte() end }", #""\1", "\3ab""#,
      [[1], [3, 97, 98]]),
    WireCase(
      "custom",
      """
      codec.custom {
        decode = function(b)
          if #b < 2 then return nil end
          local n = b:u16(1)
          if #b < 2 + n then return nil, 2 + n end
          return b:bytes(3, n), 2 + n
        end, encode = function(m) return string.pack(">s2", m) end }
      """, #""", "abc""#, [[0, 0], [0, 3, 97, 98, 99]]),
    WireCase(
      "custom, mapped",
      """
      codec.map(codec.custom { decode = function(b) local at = b:find(";") if at then return b:bytes(1, at - 1), at end end,
        encode = function(m) return m .. ";" end }, { decode = function(s) return { s } end, encode = function(m) return m[1] end })
      """, #"{ "" }, { "a b" }"#, [bytes(";"), bytes("a b;")]),
  ]
}
