import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// What a decoder is shown is gone once its call is over, however it ended, and not before.
@Suite(.timeLimit(.minutes(5))) struct ViewLifetimeTests {
  /// Keeps its view, and how each of its calls is to end.
  private static let decoder = """
    codec.custom { decode = function(view)
      kept = view
      if #view < 2 then return nil, 2 end
      if view:starts_with "er" then error "no" end
      if view:starts_with "wr" then return "x", 100 end
      return view:bytes(1, 2), 2
    end, encode = tostring }
    """
  private static let probe = "select(2, pcall(function() return kept:u8(1) end))"

  private func dies(_ script: String, after bytes: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("local codec = require 'moonpeer.codec' return { codec = \(Self.decoder), \(script) }")
      let client = try RawClient(try #require(await server.node.address))
      try await client.write(Array(bytes.utf8))
      try await eventually("it has looked") {
        try await server.lua("return kept ~= nil and (seen ~= nil or \(bytes.count < 2))") == true
      }
      for code in ["return seen or \(Self.probe)", "return \(Self.probe)"] {
        let words = try await server.lua(code).text
        #expect(words?.contains("only valid during the decode call") == true, "\(code): \(words ?? "alive")")
      }
      #expect(try await server.lua("return select(2, pcall(function() return #kept end))").text?.contains("only valid") == true)
      client.close()
    }
  }

  @Test(arguments: ["ab", "abcd", "a", "er", "wr", "aber", "abwr"])
  func `After a message, for want of bytes, after an error and after nonsense`(bytes: String) async throws {
    try await dies(
      "process_message = function() seen = \(Self.probe) end, on_disconnect = function() seen = seen or \(Self.probe) end",
      after: bytes)
  }

  @Test(arguments: ["ab", "a", "er", "wr"]) func `Where a session receives`(bytes: String) async throws {
    try await dies(
      "session = function(_, conn) local m = conn:receive() seen = \(Self.probe) conn:receive() end, on_disconnect = function() seen = seen or \(Self.probe) end",
      after: bytes)
  }

  @Test func `Where a request offers its replies`() async throws {
    try await dies(
      "process_message = function(_, conn) conn:request('q', { match = function() seen = \(Self.probe) return true end }) end",
      after: "abcd")
  }

  @Test func `Another connection's end does not take it from who looks through it`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec, other = require "moonpeer.codec", nil
        return { codec = codec.custom { decode = function(view)
            if view:starts_with "!" then other:abort() end
            return view:bytes(1, #view), #view
          end, encode = tostring },
          process_message = function(_, conn, m)
            if m == "other" then other = conn end
            conn:send("got " .. m)
          end }
        """)
      let address = try #require(await server.node.address)
      let other = try RawClient(address), client = try RawClient(address)
      try await other.write(Array("other".utf8))
      #expect(try await other.read(9) == Array("got other".utf8))
      try await client.write(Array("!end".utf8))
      #expect(try await client.read(8) == Array("got !end".utf8))
      _ = try await other.readToEnd()
      #expect(await server.node.counts.connected == 1)
    }
  }
}
