import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Bytes that are no message, decoders that lie, messages that cannot be sent: each costs its own connection or call.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CodecFaultTests {
  private static func server(_ codec: String, before: String = "") -> String {
    script(
      """
      codec = \(codec),
      init = function(node) node.state.count = 0 end,
      process_message = function(node, conn, m) node.state.count = node.state.count + 1 if m == "ok" then conn:send "ok" end end,
      on_disconnect = function(node, conn, reason) node.state.kind, node.state.message = reason.kind, reason.message end,
      calls = {
        ended = function(node) return node.state.kind, node.state.message end,
        counts = function(node) return node.state.count, node:heuristics().decode_errors, node:heuristics().script_errors end,
      },
      """, before: before)
  }

  /// Sends `bytes`; expects the connection's end with reason decode, nothing handled, and another connection unharmed.
  private func breaks(_ codec: String, _ bytes: [UInt8], _ words: String, before: String = "", handled: Int64 = 0) async throws {
    try await withNode(Self.server(codec, before: before), logger: .quiet) { node in
      let other = try RawClient(await node.node.address!)
      let client = try RawClient(await node.node.address!)
      try await client.write(bytes)
      _ = try await client.readToEnd()
      var ended = try await node.call("ended")
      let deadline = ContinuousClock.now + .seconds(60)
      while ended.first == .nil, ContinuousClock.now < deadline { ended = try await node.call("ended") }
      #expect(ended.first == "decode")
      #expect(ended.last?.text?.contains(words) == true, "\(ended)")
      #expect(try await node.call("counts") == [.integer(handled), 1, 0])
      #expect(await node.node.counts.connected == 1)
      _ = other
    }
  }

  @Test(
    arguments: [
      ("codec.length_prefixed { max = 10 }", [0, 0, 0, 11], "over the codec's max of 10"),
      ("codec.length_prefixed()", [255, 255, 255, 255], "4294967295"),
      ("codec.length_prefixed { width = 8 }", [255, 255, 255, 255, 255, 255, 255, 255], "over the codec's max"),
      ("codec.length_prefixed { width = 2, length_includes_header = true }", [0, 1], "does not cover its own header"),
      ("codec.length_prefixed { width = 'varint' }", [255, 255, 255, 255, 255, 255, 255, 255, 255, 255], "over 64 bits"),
      ("codec.length_prefixed { width = 'varint' }", [128, 0], "not in its shortest form"),
      ("codec.lines { max = 4 }", Array("12345\n".utf8), "over the codec's max of 4"),
      ("codec.lines { max = 4 }", Array("12345".utf8), "over the codec's max of 4"),
      ("codec.packed('s2', { max = 10 })", [0, 11], "over the max of 10"),
      ("codec.packed('s16', { max = 9 })", [UInt8](repeating: 255, count: 16), "a text of over 2^63 bytes is over the max of 9"),
      ("codec.packed('z', { max = 4 })", Array("12345".utf8), "no end of a text within 4 bytes"),
      ("codec.struct { { 'b', 'bool' } }", [7], "a bool is 0 or 1, got 7"),
      ("codec.union { { 1, 'a' } }", [2], "no kind of message has the tag 2"),
      ("codec.union { { 1, 'a', codec.length_prefixed { max = 3 } } }", [1, 0, 0, 0, 4], "a length of 4"),
      ("codec.map(codec.lines(), { decode = json.decode })", Array("{\n".utf8), "json: line 1"),
      ("codec.map(codec.lines(), { decode = tonumber })", Array("x\n".utf8), "returned nil for a whole frame"),
      ("codec.map(codec.length_prefixed { width = 1 }, codec.packed 'I2')", [3, 0, 0, 0], "1 bytes after a record"),
      ("codec.framed { header = 1, max = 5, size = function(h) return h:byte() end }", [6], "over the codec's max of 5"),
    ] as [(String, [UInt8], String)])
  func `What is no message ends its connection, with the reason decode`(codec: String, bytes: [UInt8], words: String) async throws
  {
    try await breaks(codec, bytes, words)
  }

  @Test(arguments: ["error 'xyz'", "return 'm', 500"])
  func `A decoder that ends its own connection and then fails is told by its own fault`(fault: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        script(
          """
          codec = function(node, conn)
            return codec.custom { decode = function(b) conn:abort() \(fault) end }
          end,
          process_message = function() end,
          """), file: "test.lua")
      let client = try RawClient(await server.node.address!)
      try await client.write([1])
      _ = try await client.readToEnd()
      let words = fault.contains("xyz") ? "xyz" : "500 bytes"
      try await eventually("it is logged") { !nodes.log.lines(with: words).isEmpty }
      #expect(nodes.log.lines(with: "attempt to call").isEmpty)
    }
  }

  @Test(arguments: [
    ("codec.custom { decode = function(b) error 'oops' end }", "test.lua:2: oops"),
    ("codec.custom { decode = function(b) error { kind = 'mine', message = 'as a table' } end }", "as a table"),
    ("codec.custom { decode = function(b) codec.invalid 'empty message' end }", "empty message"),
    ("codec.custom { decode = function(b) return 'm', #b + 1 end }", "the decoder says it took 4 bytes of 3"),
    ("codec.custom { decode = function(b) return 'm', 0 end }", "the decoder says it took 0 bytes of 3"),
    ("codec.custom { decode = function(b) return 'm', -1 end }", "the decoder says it took -1 bytes of 3"),
    ("codec.custom { decode = function(b) return 'm' end }", "the decoder says it took nil bytes of 3"),
    ("codec.custom { decode = function(b) return 'm', 1.5 end }", "the decoder says it took 1.5 bytes of 3"),
    ("codec.custom { decode = function(b) return nil, 2 end }", "asked for 2 bytes in all when it had 3"),
    ("codec.custom { decode = function(b) return nil, 'more' end }", "asked for more bytes in all when it had 3"),
    ("codec.custom { max = 8, decode = function(b) return nil, 9 end }", "a message of over 8 bytes"),
    ("codec.custom { max = 2, decode = function(b) return 'm', 3 end }", "a message of 3 bytes is over the codec's max of 2"),
    ("codec.custom { max = 3, decode = function(b) return nil end }", "a message of over 3 bytes"),
    (
      "codec.map(codec.custom { decode = function(b) return 'm', 3 end }, { decode = function() end })",
      "returned nil for a whole message"
    ),
    ("codec.framed { header = 1, size = function(h) error 'oops' end }", "test.lua:2: oops"),
    (
      "codec.framed { header = 2, size = function(h) return 1 end }",
      "the codec's size returned integer 1 for a header of 2 bytes"
    ),
    ("codec.framed { header = 1, size = function(h) end }", "the codec's size returned nothing"),
    ("codec.framed { header = 1, size = function(h) return 2.5 end }", "the codec's size returned float 2.5"),
    ("codec.framed { header = 1, size = function(h) return math.maxinteger end }", "over the codec's max"),
    ("codec.framed { header = 1, size = function(h) return 3 end, decode = function() end }", "returned nil for a whole frame"),
    ("codec.custom { decode = function(b) require 'moonpeer.node':sleep(0) return 'm', 3 end }", "cannot wait here"),
    ("codec.framed { header = 1, size = function(h) require 'moonpeer.node':sleep(0) return 3 end }", "cannot wait here"),
    ("codec.map(codec.lines(), { decode = function(l) require 'moonpeer.node':queue():get() end })", "cannot wait here"),
    (
      "codec.custom { decode = function(b) coroutine.wrap(function() require 'moonpeer.node':sleep(0) end)() end }",
      "cannot wait here"
    ),
    ("codec.custom { decode = function(b) kept = b return b:bytes(0, 1), 3 end }", "positions count from 1"),
  ])
  func `A decoder that lies, raises or waits ends its connection only`(codec: String, words: String) async throws {
    try await breaks(codec, Array("ab\n".utf8), words)
  }

  @Test func `A good message before a bad one is handled`() async throws {
    try await breaks("codec.lines { max = 4 }", Array("1\n2\n12345\n".utf8), "over the codec's max", handled: 2)
    try await breaks(
      "codec.framed { header = 1, size = function(h) return h:byte() end }", [2, 49, 2, 50, 0], "the codec's size returned",
      handled: 2)
  }

  @Test func `A decoder without an end costs its connection; the node lives on`() async throws {
    let codec = "codec.custom { decode = function(b) kept = b while b:u8(1) == 33 do end return b:bytes(1, #b), #b end }"
    try await withNode(Self.server(codec), logger: .quiet) {
      $0.configuration = [("script_time", .string("50ms"))]
    } _: { node in
      let client = try RawClient(await node.node.address!)
      try await client.write([33])
      _ = try await client.readToEnd()
      #expect(try await node.evaluate("node:heuristics().budget_kills").first == 1)
      // What it kept of the buffer is no longer there.
      let words = try await node.evaluate("select(2, pcall(function() return kept:u8(1) end))").first?.text
      #expect(words?.contains("only valid during the decode call") == true)
      let other = try RawClient(await node.node.address!)
      try await other.write(Array("ok".utf8))
      #expect(try await other.read(2) == Array("ok".utf8))
    }
  }

  @Test func `What a decoder makes of a connection it has ended itself reaches nobody`() async throws {
    let codec = """
      function(node, conn)
        return codec.custom { decode = function(b)
          conn:abort()
          node.state.seen = select(2, pcall(b.u8, b, 1))
          return "m", 1
        end }
      end
      """
    try await withNode(Self.server(codec), logger: .quiet) { node in
      let client = try RawClient(await node.node.address!)
      try await client.write([UInt8](repeating: 1, count: 20_000))
      _ = try await client.readToEnd()
      try await eventually("it has decoded") { try await node.evaluate("node.state.seen ~= nil").first == true }
      #expect(try await node.evaluate("node.state.count").first == 0)
    }
  }

  @Test func `The view reads all its types at any place`() async throws {
    let decoder = """
      codec = codec.custom { decode = function(b)
        if #b < 12 then return nil, 12 end
        eq(#b, 12)
        eq(b:u8(1), 0x81) eq(b:i8(1), -127) eq(b:u16(1), 0x8182) eq(b:i16(1), 0x8182 - 0x10000)
        eq(b:u16le(1), 0x8281) eq(b:i16le(1), 0x8281 - 0x10000)
        eq(b:u32(1), 0x81828384) eq(b:i32(1), 0x81828384 - 0x100000000)
        eq(b:u32le(1), 0x84838281) eq(b:i32le(1), 0x84838281 - 0x100000000)
        eq(b:u64(1), 0x8182838485868788) eq(b:i64(1), 0x8182838485868788)
        eq(b:u64le(1), 0x8887868584838281) eq(b:i64le(1), 0x8887868584838281)
        eq(b:f32(9), 1.5) eq(b:f64(5), string.unpack(">d", b:bytes(5, 8)))
        eq(b:f32le(1), string.unpack("<f", b:bytes(1, 4))) eq(b:f64le(1), string.unpack("<d", b:bytes(1, 8)))
        eq(b:u8(12), 0) eq(b:u8(13), nil) eq(b:u16(12), nil) eq(b:u64(6), nil) eq(b:bytes(1, 13), nil) eq(b:bytes(13, 0), "")
        eq(b:bytes(12, 1), "\\0") eq(b:bytes(2, 3), "\\x82\\x83\\x84") eq(b:bytes(1, 0), "")
        eq(b:find("\\x83\\x84"), 3) eq(b:find("\\x83\\x84", 4), nil) eq(b:find("\\0"), 11) eq(b:find("", 5), 5)
        eq(b:find("\\0\\0", 11), 11) eq(b:find("x"), nil) eq(b:find("\\x81", 100), nil)
        eq(b:starts_with "\\x81\\x82", true) eq(b:starts_with "\\x82", false) eq(b:starts_with(("x"):rep(50)), false)
        has(raised(b.u8, b, 0), "positions count from 1, got 0") has(raised(b.bytes, b, 1, -1), "a count of 0 or more")
        has(raised(b.u8, {}, 1), "a buffer is expected") has(raised(b.u8, b, "x"), "number expected")
        eq(tostring(b), "buffer") eq(getmetatable(b), false)
        return "ok", 12
      end },
      process_message = function(node, conn, m) conn:send(m) end,
      """
    try await withNode(script(decoder)) { node in
      let client = try RawClient(await node.node.address!)
      for _ in 0..<2 {
        try await client.writeByteByByte([0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x3F, 0xC0, 0, 0])
        #expect(try await client.read(2) == Array("ok".utf8))
      }
    }
  }

  @Test(arguments: [
    ("codec.lines { max = 4 }", "'12345'", "conn:send: a message of 5 bytes is over the codec's max of 4"),
    ("codec.lines()", "'a\\nb'", "a line cannot contain its own delimiter"),
    ("codec.lines()", "5", "conn:send: the message must be a string of bytes, got number"),
    ("codec.lines()", "nil", "conn:send: the message must be a string of bytes"),
    ("codec.length_prefixed { width = 1 }", "('x'):rep(256)", "a message of 256 bytes is over the codec's max of 255"),
    ("codec.fixed(3)", "'ab'", "exactly 3 bytes, got 2"),
    ("codec.packed 'I1'", "256", "conn:send: codec.packed: the value"),
    ("codec.packed 'I1 s1'", "{ 1, {} }", "value 2: string expected, got table"),
    ("codec.packed 'I1 s1'", "'x'", "a table of 2 values is expected, got string \"x\""),
    ("codec.struct { { 'id', 'u8' } }", "{ idd = 1 }", "conn:send: codec.struct: field \"id\" is missing"),
    ("codec.union { { 1, 'ping' } }", "{ type = 'pinc' }", "did you mean \"ping\"?"),
    ("codec.map(codec.lines(), { encode = json.encode })", "{ f = print }", "conn:send: json: f is a function"),
    ("codec.map(codec.lines(), { encode = function() return 5 end })", "'x'", "must return a string of bytes, got integer 5"),
    (
      "codec.framed { header = 1, size = string.byte, encode = function(m) return m.n end }", "{}",
      "must return a string of bytes, got nothing"
    ),
    ("codec.framed { header = 1, size = string.byte, max = 3 }", "'abcd'", "a message of 4 bytes is over the codec's max of 3"),
    ("codec.custom { decode = function() end, max = 3 }", "'abcd'", "a message of 4 bytes is over the codec's max of 3"),
  ])
  func `A message that cannot be sent is refused at the sender's line, and the connection stays`(
    codec: String, message: String, words: String
  ) async throws {
    try await inNode(
      """
      local conn = assert(node:open(address, { codec = \(codec) }))
      for _, name in ipairs { "send", "try_send", "request" } do
        local cause = raised(function() local ok, why = conn[name](conn, \(message)) end)
        local text = tostring(cause)
        has(text, "test.lua:5: ") has((text:gsub("conn:" .. name, "conn:send")), \(luaString(words)))
      end
      eq(conn:stats().messages_sent, 0) eq(conn:write "x", true)
      """, server: "")
  }

  private func luaString(_ text: String) -> String { "[==[" + text + "]==]" }

  @Test func `A script's own encoder is blamed at its own line`() async throws {
    try await inNode(
      """
      local own = codec.map(codec.lines(), { encode = function(m)
        error "not this one" end })
      local conn = assert(node:open(address, { codec = own }))
      has(raised(conn.send, conn, "x"), "test.lua:4: not this one")
      local mark = {}
      node:disconnect(conn)
      conn = assert(node:open(address, { codec = codec.map(codec.lines(), { encode = function() error(mark) end }) }))
      eq(raised(conn.send, conn, "x"), mark)
      """, server: "")
  }

  @Test func `Whoever reads a lie gets an error of kind decode, and the connection ends with that reason`() async throws {
    try await inNode(
      """
      for _, c in ipairs {
        codec.lines { max = 3 }, codec.custom { decode = function(b) codec.invalid "no" end },
        codec.framed { header = 1, size = function() return 0 end },
      } do
        local conn = assert(node:open(address, { codec = c }))
        eq(kind_of(conn.receive, conn), "decode")
        eq(select(2, conn:receive()), "closed") eq(select(2, conn:send "x"), "closed")
      end
      eq(node:heuristics().decode_errors, 3)
      """, server: "session = function(node, conn) conn:write 'abcdef' conn:read(1) end")
  }
}
