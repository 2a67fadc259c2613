import LuaHost
import NodeCore
import NodeEngine
import Synchronization
import Testing

@testable import NodeScripting

/// A peer of a node whose messages are lines, watching from outside: it numbers what it sends, and every line must be
/// answered once and in order.
final class LinePeer {
  let client: RawClient
  private var sent = 0
  private var answered = 0

  init(_ node: ScriptedNode) async throws {
    client = try RawClient(#require(await node.node.address))
  }

  func send(_ line: String) async throws { try await client.write(Array((line + "\n").utf8)) }

  func line() async throws -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = try await client.read(1)[0]
      if byte == 10 { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
  }

  func ask(_ line: String) async throws -> String {
    try await send(line)
    return try await self.line()
  }

  /// Sends so many numbers at once.
  func sendNumbers(_ count: Int) async throws {
    let text = (0..<count).map { "\(sent + $0)\n" }.joined()
    sent += count
    try await client.write(Array(text.utf8))
  }

  /// Reads the answers to all that were sent: `number what the code in force said`.
  ///
  /// - Returns: what the code said, each once, in the order it changed.
  @discardableResult
  func expectAnswers() async throws -> [String] {
    var voices: [String] = []
    while answered < sent {
      let parts = try await line().split(separator: " ", maxSplits: 1)
      #expect(parts.first.map(String.init) == "\(answered)", "lost, doubled or out of order")
      answered += 1
      let voice = parts.count > 1 ? String(parts[1]) : ""
      if voices.last != voice { voices.append(voice) }
    }
    return voices
  }
}

/// Runs the body while a peer goes on sending numbered lines to the node: each must be answered once and in order.
///
/// - Returns: what the code said, each once, in the order it changed.
func watched(_ node: ScriptedNode, _ body: () async throws -> Void) async throws -> [String] {
  let answers = Mutex(0), isOver = Mutex(false)
  async let heard: [String] = {
    let peer = try await LinePeer(node)
    var voices: [String] = []
    repeat {
      try await peer.sendNumbers(5)
      for voice in try await peer.expectAnswers() where voices.last != voice { voices.append(voice) }
      answers.withLock { $0 += 1 }
    } while !isOver.withLock { $0 }
    return voices
  }()
  try await eventually("the peer is answered") { answers.withLock { $0 } > 0 }
  do {
    try await body()
  } catch {
    isOver.withLock { $0 = true }
    _ = try await heard
    throw error
  }
  isOver.withLock { $0 = true }
  return try await heard
}

/// A script that answers each line with itself and `voice`, and counts them in `node.state.count` and `conn.state.count`.
func answering(_ voice: String, _ more: String = "") -> String {
  """
  local codec = require "moonpeer.codec"
  return {
    codec = codec.lines(),
    process_message = function(node, conn, message)
      node.state.count = (node.state.count or 0) + 1
      conn.state.count = (conn.state.count or 0) + 1
      conn:send(message .. " \(voice)")
    end,
    \(more)
  }
  """
}

/// A script whose call `pass` sends "go" and sets aside what comes before "last"; its call `take` gives that.
let settingAside = """
  local codec = require "moonpeer.codec"
  return { codec = codec.lines(), calls = {
    pass = function(node)
      return node:connections()[1]:request("go", { match = function(m) return m == "last" end })
    end,
    take = function(node) return node:connections()[1]:receive(20) end,
  } }
  """

/// A peer of a node of that script, for which "first" and "second" are set aside.
func peerWithMessagesSetAside(_ node: ScriptedNode) async throws -> LinePeer {
  let peer = try await LinePeer(node)
  try await eventually("it is there") { await node.node.counts.connected == 1 }
  async let last = node.call("pass")
  #expect(try await peer.line() == "go")
  try await peer.send("first\nsecond\nlast")
  #expect(try await last.first == "last")
  return peer
}

/// Lines, decoded by Lua that the engine calls: a codec of another kind for the same bytes.
let customLines = #"""
  codec.custom {
    decode = function(b)
      local i = b:find("\n")
      if i then return b:bytes(1, i - 1), i end
    end,
    encode = function(m) return m .. "\n" end,
  }
  """#

extension ScriptedNode {
  /// Reloads from text, as if the file had been changed.
  @discardableResult
  func reload(text: String) async throws(ScriptError) -> ReloadReport {
    try await reload(ScriptSource(name: "test.lua", text: text))
  }
}
