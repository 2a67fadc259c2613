import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// `node:broadcast` and `node:open`, which are kept apart.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct BroadcastTests {
  private let listener = """
    local codec = require "moonpeer.codec"
    return { codec = codec.lines(), process_message = function(node, conn, message)
      node.state.got = (node.state.got or "") .. message
    end }
    """

  @Test func `It is encoded once, goes to all but one, and says how many`() async throws {
    try await withNodes { nodes in
      let servers = [try await nodes.start(listener), try await nodes.start(listener), try await nodes.start(listener)]
      let client = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local count = 0
        return {
          codec = codec.map(codec.lines(), {
            encode = function(value) count = count + 1 return "<" .. value.text .. ">" end,
            decode = function(bytes) return bytes end }),
          calls = { count = function() return count end },
        }
        """)
      for server in servers { try await client.lua("assert(node:connect(...)) return nil", server.at) }
      #expect(try await client.lua("return node:broadcast({ text = 'all' })") == 3)
      #expect(try await client.call("count") == [1])
      let except = "return node:broadcast({ text = 'some' }, { except = node:connection(...) })"
      #expect(try await client.lua(except, servers[1].at) == 2)
      #expect(try await client.call("count") == [2])
      try await eventually("they got it") { try await servers[2].lua("return node.state.got") == "<all><some>" }
      try await eventually("the other one too") { try await servers[1].lua("return node.state.got") == "<all>" }
    }
  }

  @Test func `Each codec encodes once where connections have codecs of their own`() async throws {
    try await withNodes { nodes in
      let servers = [try await nodes.start(listener), try await nodes.start(listener), try await nodes.start(listener)]
      let client = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local count = 0
        local function made(mark)
          return codec.map(codec.lines(), {
            encode = function(text) count = count + 1 return mark .. text end, decode = function(bytes) return bytes end })
        end
        local odd, even = made "odd ", made "even "
        return { codec = function(_, conn) return conn.id % 2 == 0 and even or odd end,
          calls = { count = function() return count end } }
        """)
      for server in servers { try await client.lua("assert(node:connect(...)) return nil", server.at) }
      #expect(try await client.lua("return node:broadcast('one')") == 3)
      #expect(try await client.call("count").first?.int ?? 0 <= 2)
      for server in servers {
        try await eventually("it arrives") { try await server.lua("return node.state.got").text?.hasSuffix(" one") == true }
      }
    }
  }

  @Test func `What cannot be sent is an error at the broadcast`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(listener)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines { max = 4 } }")
      try await client.lua("assert(node:connect(...)) return nil", server.at)
      let cases = [
        ("'too long'", "a message of 8 bytes is over the codec's max of 4"), ("{}", "must be a string of bytes, got a table"),
        ("'x', { but = 1 }", "unknown option \"but\""), ("'x', { except = 5 }", "except must be a conn, got integer 5"),
      ]
      for (code, words) in cases {
        let error = await failure { try await client.lua("local n = node:broadcast(\(code))") }
        #expect(error?.message.contains(words) == true, "\(code): \(error?.description ?? "no error")")
        #expect(error?.location == "(code):1", "\(code): \(error?.description ?? "no error")")
      }
    }
  }

  @Test func `An opened stream has its own codec, no hooks, and counts in the limits`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(echoLines)
      let client = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local function never() error "a hook ran" end
        return { config = { max_connections = 1 }, codec = codec.length_prefixed(), handshake = never, on_connect = never,
          process_message = never, on_disconnect = never }
        """)
      let outcome = try await client.lua(
        """
        local codec = require "moonpeer.codec"
        local conn = assert(node:open(..., { codec = codec.lines(), timeout = "5s" }))
        conn:send("first")
        local first = conn:receive("5s")
        conn:write("second\\n")
        local raw = conn:read(7)
        local _, full = node:open("127.0.0.1:1")
        local list = { first, raw, full.kind, node:counts().connected, #node:connections(), node:broadcast("nobody") }
        conn:disconnect()
        list[#list + 1] = select(2, conn:receive("5s"))
        return list
        """, server.at)
      #expect(outcome == ["first", "second\n", "limit", 1, 0, 0, "closed"])
      try await eventually("its place is free") { try await client.lua("return node:counts().connected") == 0 }
      #expect(nodes.log.lines(with: "a hook ran").isEmpty)
    }
  }

  @Test func `A stream without a codec is bytes, and a dial that fails is nil and an error`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(echoLines)
      let at = try await server.at
      let client = try await nodes.start("return {}")
      #expect(
        try await client.lua("local c = assert(node:open(...)) c:send('raw\\n') return c:read_until('\\n')", at) == "raw")
      await server.shutDown()
      try await eventually("the stream has ended too") { try await client.lua("return node:counts().connected") == 0 }
      #expect(try await client.lua("local c, e = node:open(...) return { c == nil, e.kind }", at) == [true, "refused"])
      let error = await failure { try await client.lua("local c = node:open('127.0.0.1:1', { codec = 5 })") }
      #expect(error?.message == "node:open: codec must be a codec, got integer 5")
    }
  }

  private let echoLines =
    "return { codec = require 'moonpeer.codec'.lines(), process_message = function(_, conn, m) conn:send(m) end }"
}
