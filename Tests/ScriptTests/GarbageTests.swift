import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Our scripts and their decoders against peers that send anything: a peer's bytes are never a mistake of the script.
@Suite struct GarbageTests {
  struct Subject: CustomTestStringConvertible, Sendable {
    var script: String
    /// Inputs that go deep.
    var seeds: [[UInt8]]
    var testDescription: String { script }

    init(_ script: String, _ seeds: [UInt8]...) {
      self.script = script
      self.seeds = seeds
    }
  }

  private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
  private static func frame(_ text: String) -> [UInt8] { [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8) }

  static let subjects = [
    Subject("scripts/echo.lua", frame("one") + frame("") + frame("three")),
    Subject("scripts/chat.lua", text("anna\nhello\n/who\n/quit\n"), text("\r\n\r\n/nick b\n")),
    Subject("scripts/broadcast.lua", [0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 97, 98, 99]),
    Subject("scripts/rate_limit.lua", text("one\ntwo\nthree\n")),
    Subject(
      "scripts/rpc.lua", frame(#"{"id":1,"method":"add","params":[1,2]}"#) + frame(#"{"id":2,"method":"none"}"#),
      frame(#"{"id":3,"result":[{"a":null}]}"#)),
    Subject(
      "examples/redis/redis.lua", text("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
      text("PING\r\nSET a \"b c\" EX 10\r\nINCRBY n 9223372036854775807\r\nSELECT 1\r\nTTL a\r\nCONFIG GET *\r\n"),
      text("*1\r\n$4\r\nPING\r\n*-1\r\n*0\r\n*1048577\r\n$536870913\r\n")),
  ]

  @Test(.timeLimit(.minutes(5)), arguments: subjects)
  func `Bytes of a peer are no mistake of a script`(subject: Subject) async throws {
    let python = try Tool.python()
    try await withScript(subject.script) { node, port in
      let seeds = subject.seeds.map { $0.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
      _ = try await python.expect([Repository.path("Tests/Hostile/garbage.py"), port, "1", "300"] + seeds, seconds: 200)
      let heuristics = await node.node.heuristics()
      #expect(heuristics.scriptErrors == 0)
      #expect(heuristics.budgetKills == 0)
      #expect(try await eventually { await node.node.counts == (0, 0) })
    }
  }
}
