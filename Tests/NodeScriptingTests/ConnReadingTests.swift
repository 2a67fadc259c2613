import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Raw reads: in a handshake, a session and on a stream.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct ConnReadingTests {
  /// Reads what the client's raw bytes are in a handshake, and answers with what it made of them.
  private func handshake(_ body: String, _ bytes: String) async throws -> LuaValue {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        return { handshake = function(node, conn)
          local function run() \(body) end
          conn:write(tostring(run()) .. "\\n")
        end }
        """)
      let client = try await nodes.start("return {}")
      return try await client.lua(
        """
        local to, bytes = ...
        local conn = assert(node:open(to))
        for i = 1, #bytes do
          conn:write(bytes:sub(i, i))
          conn:flush()
        end
        return conn:read_until("\\n")
        """, server.at, LuaValue(bytes))
    }
  }

  @Test(arguments: [
    ("return conn:read(3)", "abc"), ("conn:read(1) return conn:read(2)", "bc"), ("return conn:read(0)", ""),
    ("return conn:peek(2) .. conn:read(3)", "ababc"), ("return conn:read_until('c') .. conn:read(1)", "abd"),
    ("return conn:read_until('cd') .. conn:read(1)", "abe"), ("return conn:read_until('f', 5)", "abcde"),
    ("local s = conn:read_some(1) return s .. conn:read(4)", "abcde"),
    ("local s = '' while #s < 6 do s = s .. conn:read_some() end return s", "abcdef"),
    ("conn:read_until('b') return conn:peek(1) .. conn:read_until('d')", "cc"),
  ])
  func `A raw read takes just what it asks for`(body: String, result: String) async throws {
    #expect(try await handshake(body, "abcdef") == LuaValue(result))
  }

  @Test(arguments: [
    ("conn:read_until('z', 3)", "too_large", "no delimiter within 3 bytes"),
    ("conn:read_until('f', 2)", "too_large", "no delimiter within 2 bytes"),
    ("conn:read(1 << 40)", "usage", "more than max_read_buffer holds"), ("conn:read(-1)", "usage", "whole number of bytes"),
    ("conn:read('x')", "usage", "whole number of bytes, got string"), ("conn:read_until('', 5)", "usage", "at least one byte"),
    ("conn:read_until('x', 0)", "usage", "at least 1"),
    ("conn:read_until('x', math.maxinteger)", "usage", "more than max_read_buffer holds"),
    ("conn:read_until('xyz', '2GiB')", "usage", "more than max_read_buffer holds"), ("conn:read_some(0)", "usage", "at least 1"),
  ])
  func `A read that cannot be is an error of its kind`(code: String, kind: String, words: String) async throws {
    let text = try await handshake(
      "local _, e = pcall(function() return \(code) end) return tostring(type(e) == 'table' and e.kind or 'usage') .. ': ' .. tostring(e)",
      "abcdef")
    #expect(text.text?.hasPrefix("\(kind): ") == true && text.text?.contains(words) == true, "\(text)")
  }

  @Test(arguments: ["handshake", "process_message"])
  func `What a read waited for in vain holds up no message`(hook: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local tried = false
        local function try(node, conn)
          if tried then return end
          tried = true
          local ok, e = pcall(node.timeout, node, "20ms", function() return conn:read(1000) end)
          assert(not ok and e.kind == "timeout")
        end
        return { codec = codec.length_prefixed(),
          handshake = "\(hook)" == "handshake" and function(node, conn)
            try(node, conn)
            conn:write "."
          end or nil,
          process_message = function(node, conn, m)
            try(node, conn)
            conn:send(m)
          end }
        """)
      let client = try RawClient(try #require(await server.node.address))
      if hook == "handshake" { #expect(try await client.read(1) == Array(".".utf8)) }
      for byte in [UInt8(7), 8] {
        try await client.write([0, 0, 0, 1, byte])
        #expect(try await client.read(5) == [0, 0, 0, 1, byte])
      }
    }
  }

  @Test func `Before a codec is chosen messages are refused, and raw bytes are not`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = function() return codec.lines() end, handshake = function(node, conn)
          for _, name in ipairs { "send", "try_send", "receive" } do
            local _, e = pcall(conn[name], conn, "5")
            node.state[name] = tostring(e)
          end
          return conn:write("raw") and "peer"
        end }
        """)
      #expect(try await client.lua("return assert(node:connect(...)).peer", server.at) == "peer")
      for name in ["send", "try_send", "receive"] {
        let text = try await client.lua("return node.state[...]", LuaValue(name)).text
        #expect(text?.contains("there is no codec yet") == true, "\(name): \(text ?? "nothing")")
      }
    }
  }

  @Test func `A second reader gets an error that says so, and the first one goes on`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start("return {}")
      try await client.lua(
        """
        local conn = assert(node:open(...))
        node.state.conn = conn
        node.state.first = node:spawn(function() return conn:read(3) end)
        node:sleep(0)
        """, server.at)
      for code in ["read(1)", "read_some()", "read_until('x')", "peek(1)", "receive()", "receive('1s')"] {
        let error = await failure { try await client.lua("local x = node.state.conn:\(code)") }
        #expect(error?.message.contains("already reads this connection") == true, "\(code): \(error?.description ?? "no error")")
        #expect(error?.location == "(code):1", "\(code)")
      }
      try await eventually("the other side") { try await server.lua("return node:counts().connected") == 1 }
      try await server.lua("node:connections()[1]:write 'abc'")
      #expect(try await client.lua("return node.state.first:join()") == "abc")
    }
  }

  @Test func `Beside a message hook a raw read is refused, inside it works`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(),
          process_message = function(node, conn, message)
            if message == "raw" then conn:write("<" .. conn:read(4) .. ">\\n") else conn:send(message) end
          end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      let answers = try await client.lua(
        """
        local conn = assert(node:connect(...))
        conn:send "raw"
        conn:write "1\\n34"
        local first = conn:receive "5s"
        local rest = conn:receive "5s"
        conn:send "after"
        return { first, rest, conn:receive "5s" }
        """, server.at)
      #expect(answers == ["<1", "34>", "after"])
      let error = await failure { try await server.lua("local x = node:connections()[1]:read(1)") }
      #expect(error?.kind == "busy")
    }
  }

  @Test func `A reader that the peer leaves is told closed, with what there was before`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return { session = function(node, conn) conn:write 'abc' conn:flush() end }")
      let client = try await nodes.start("return {}")
      let outcome = try await client.lua(
        """
        local conn = assert(node:open(...))
        local ab = conn:read(2)
        local ok, e = pcall(conn.read, conn, 5)
        return { ab, ok, e.kind, conn:read_some() }
        """, server.at)
      #expect(outcome == ["ab", false, "closed", "c"])
    }
  }
}
