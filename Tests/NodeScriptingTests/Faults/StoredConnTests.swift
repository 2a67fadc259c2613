import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// A connection that a script keeps, and uses where it does not belong: in another connection's hook, in coroutines, tasks
/// and timers.
@Suite(.timeLimit(.minutes(5))) struct StoredConnTests {
  /// A message is code that is run with `kept`, the connection that said "keep".
  private static let script = """
    local codec = require "moonpeer.codec"
    return { codec = codec.lines(), process_message = function(node, conn, m)
      if m == "keep" then kept = conn return conn:send "kept" end
      if m == "ping" then return conn:send "pong" end
      local answer = assert(load("local node, conn, kept = ... " .. m, "=(message)"))(node, conn, kept)
      conn:send(tostring(answer))
    end }
    """

  private func withKept(_ body: (ScriptedNode, TestNodes, _ kept: RawClient, _ other: RawClient) async throws -> Void)
    async throws
  {
    try await withNodes { nodes in
      let server = try await nodes.start(Self.script)
      let address = try #require(await server.node.address)
      let kept = try RawClient(address), other = try RawClient(address)
      try await kept.write(Array("keep\n".utf8))
      #expect(try await kept.read(5) == Array("kept\n".utf8))
      try await body(server, nodes, kept, other)
    }
  }

  private func ask(_ client: RawClient, _ code: String) async throws -> String {
    try await client.write(Array("\(code)\n".utf8))
    var answer: [UInt8] = []
    while answer.last != 10 { answer += try await client.read(1) }
    return String(decoding: answer.dropLast(), as: UTF8.self)
  }

  @Test(arguments: [
    "return kept:send 'hi'", "return coroutine.wrap(function() return kept:send 'hi' end)()",
    "return node:spawn(function() return kept:send 'hi' end):join()",
    "return coroutine.wrap(function() return coroutine.wrap(function() return kept:send 'hi' end)() end)()",
  ])
  func `It sends from anywhere`(code: String) async throws {
    try await withKept { (_, _, kept, other) async throws in
      #expect(try await ask(other, code) == "true")
      #expect(try await kept.read(3) == Array("hi\n".utf8))
      #expect(try await ask(kept, "ping") == "pong")
    }
  }

  @Test(arguments: [
    "return kept:receive()", "return coroutine.wrap(function() return kept:receive() end)()",
    "return node:spawn(function() return kept:receive() end):join()", "return kept:read(1)",
    "error 'wrong'", "coroutine.wrap(function() kept:send(print) end)()", "rawset(kept, 1, rawget(conn, 1)) error 'swapped'",
  ])
  func `A mistake with it costs who makes it, and not the one that is kept`(code: String) async throws {
    try await withKept { (server, nodes, kept, other) async throws in
      try await other.write(Array("\(code)\n".utf8))
      _ = try await other.readToEnd()
      try await eventually("it is reported") { nodes.log.lines.contains { $0.level == .error } }
      let lines = nodes.log.lines.filter { $0.level == .error }
      #expect(lines.count == 1 && lines[0].metadata["hook"] == "process_message" && lines[0].metadata["conn"] == "2", "\(lines)")
      guard !code.contains("rawset") else { return }
      #expect(try await ask(kept, "ping") == "pong")
      #expect(await server.node.counts.connected == 1)
    }
  }

  @Test(arguments: [
    ("return select(2, kept:send 'x')", "closed"), ("return select(2, kept:receive())", "closed"),
    ("return select(2, coroutine.wrap(function() return kept:request 'x' end)())", "closed"),
    ("return select(2, pcall(kept.read, kept, 1)).kind", "closed"), ("return kept:disconnect()", "false"),
    ("return select(2, node:spawn(function() return kept:send 'x' end):join())", "closed"),
    ("kept:disconnect() kept:abort() return kept:disconnect()", "false"),
  ])
  func `Once it is over it answers, wherever it is asked`(code: String, answer: String) async throws {
    try await withKept { (server, nodes, kept, other) async throws in
      kept.close()
      try await eventually("it is over") { await server.node.counts.connected == 1 }
      #expect(try await ask(other, code) == answer)
      #expect(try await ask(other, "ping") == "pong")
      #expect(nodes.log.lines.filter { $0.level == .error }.isEmpty)
    }
  }
}
