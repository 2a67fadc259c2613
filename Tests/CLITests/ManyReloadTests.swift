import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer reload of many nodes` {
  private static func script(_ version: Int, _ more: String = "") -> String {
    "return { version = \(version), config = { probation = '60ms' }, \(more) process_message = function() end }"
  }

  /// Fails right after it has taken over.
  private static let bad = script(
    3,
    """
    restore = function(state)
      require "moonpeer.node":spawn(function() error "bad version" end)
      return state
    end,
    """)

  private struct Entry: Decodable {
    var node: String
    var process: Int
    var outcome: String
    var generation: Int?
    var version: Int?
  }
  private struct Document: Decodable {
    struct Problem: Decodable { var message: String }
    struct Result: Decodable {
      var canaries: Int
      var nodes: [Entry]
    }
    var ok: Bool
    var result: Result
    var error: Problem?
  }

  private func document(_ run: Finished) throws -> Document {
    try JSONDecoder().decode(Document.self, from: Data(run.output.utf8))
  }

  @Test func `goes through them, the canaries first, and waits until all are trusted`() async throws {
    let folder = try Folder(["one.lua": Self.script(1)])
    let host = try await RunningHost("one.lua", ["--count", "3"], in: folder)
    try folder.write("one.lua", Self.script(2))
    let people = try await host.moonpeer("reload", "--all", "--canary", "10%")
    #expect(people.status == 0, "\(people)")
    // The first is trusted before the second is asked.
    let steps = [
      "one-1: generation 2, version 2", "one-1: the code in force is trusted", "one-2: generation 2", "one-3: generation 2",
    ]
    var rest = people.output[...]
    for step in steps {
      let range = try #require(rest.firstRange(of: step), "\(people)")
      rest = rest[range.upperBound...]
    }
    for name in ["one-2", "one-3"] { #expect(people.output.contains("\(name): the code in force is trusted"), "\(people)") }
    // A canary is waited for once.
    #expect(people.output.components(separatedBy: "waiting for the probation of one-1").count == 2, "\(people)")
    let named = try await host.moonpeer("reload", "one-3", "one-1", "one.lua", "--json")
    #expect(named.status == 0, "\(named)")
    let answer = try document(named)
    #expect(answer.ok && answer.result.canaries == 0 && answer.error == nil)
    #expect(answer.result.nodes.map(\.node) == ["one-3", "one-1"])
    #expect(answer.result.nodes.allSatisfy { $0.outcome == "reloaded" && $0.generation == 3 && $0.version == 2 })
    try await host.stop()
  }

  @Test func `stops where a canary is rolled back, and says which node has which code`() async throws {
    let folder = try Folder(["one.lua": Self.script(1), "bad.lua": Self.bad])
    let host = try await RunningHost("one.lua", ["--count", "4"], in: folder)
    let run = try await host.moonpeer("reload", "--all", "bad.lua", "--canary", "25%", "--json")
    #expect(run.status == 1, "\(run)")
    let answer = try document(run)
    #expect(!answer.ok && answer.result.canaries == 1)
    #expect(answer.error?.message.contains("one-1 was rolled back: ") == true, "\(run)")
    #expect(answer.error?.message.contains("bad version") == true, "\(run)")
    #expect(answer.result.nodes.map(\.outcome) == ["rolled_back", "untouched", "untouched", "untouched"])
    #expect(answer.result.nodes.allSatisfy { $0.generation == 1 && $0.version == 1 })
    let people = try await host.moonpeer("reload", "one-1", "one-2", "bad.lua", "--canary", "50%")
    #expect(people.status == 1, "\(people)")
    #expect(people.output.contains("rolled back  generation 1, version 1"), "\(people)")
    #expect(people.output.contains("untouched    generation 1, version 1"), "\(people)")
    #expect(people.errors.contains("moonpeer: one-1 was rolled back: "), "\(people)")
    try await host.stop()
  }

  @Test func `says where code has failed, and what was before it cannot come back`() async throws {
    let folder = try Folder([
      "one.lua": """
      local codec = require "moonpeer.codec"
      -- Of its 2 MiB it has little left.
      local ballast = ("x"):rep(1500000)
      return { version = 1, config = { script_memory = "2MiB" }, codec = codec.lines(), calls = { size = function() return #ballast end } }
      """,
      // What comes before "last" waits for a receive, and would have to go back, too.
      "bad.lua": """
      local codec = require "moonpeer.codec"
      return { version = 2, codec = codec.lines(), on_connect = function(node, conn)
        conn:request("go", { match = function(message) return message == "last" end })
        node:spawn(function() error "bad version" end)
      end }
      """,
    ])
    let host = try await RunningHost("one.lua", in: folder)
    let run = try Program(["reload", "one", "bad.lua", "--wait"], in: folder, environment: host.environment)
    _ = try await run.outputLine("waiting for the probation of one")
    let peer = """
      import socket, sys
      s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
      s.recv(3)
      s.sendall((b"y" * 300000 + b"\\n") * 3 + b"last\\n")
      s.recv(1)
      """
    let port = String(try await host.program.outputLine(" listens on ").split(separator: ":").last!)
    let client = try Program(["-c", peer, port], program: "python3", in: folder)
    let end = try await run.finish()
    let why = "one failed and stays as it is: "
    #expect(end.status == 1 && end.errors.contains("moonpeer: \(why)"), "\(end)")
    #expect(end.errors.contains("bad version; the rollback failed: "), "\(end)")
    let asked = try await host.moonpeer("console", "--json", "-e", "probation")
    #expect(asked.status == 1 && asked.output.contains("\"kind\":\"kept\"") && asked.output.contains(why), "\(asked)")
    #expect(try await host.moonpeer("console", "-e", "nodes").output.contains("generation 2, version 2"))
    withExtendedLifetime(client) {}
    try await host.stop()
  }

  @Test func `stops at the first that refuses, and the others keep what they have`() async throws {
    let folder = try Folder(["one.lua": Self.script(1)])
    let host = try await RunningHost("one.lua", ["--count", "3"], in: folder)
    #expect(try await host.moonpeer("console", "one-2", "-e", "node.state.stuck = print").status == 0)
    try folder.write("one.lua", Self.script(2))
    let run = try await host.moonpeer("reload", "--all", "--json")
    #expect(run.status == 1, "\(run)")
    let answer = try document(run)
    #expect(answer.error?.message.contains("one-2: ") == true && answer.error?.message.contains("state.stuck") == true, "\(run)")
    #expect(answer.result.nodes.map(\.outcome) == ["reloaded", "refused", "untouched"])
    #expect(answer.result.nodes.map(\.version) == [2, 1, 1])
    try await host.stop()
  }

  @Test func `a single node is waited for where that is wished`() async throws {
    let folder = try Folder(["one.lua": Self.script(1), "bad.lua": Self.bad])
    let host = try await RunningHost("one.lua", in: folder)
    let run = try await host.moonpeer("reload", "one", "bad.lua", "--wait")
    #expect(run.status == 1 && run.errors.contains("moonpeer: one was rolled back: "), "\(run)")
    #expect(try await host.moonpeer("console", "-e", "probation").status == 1)
    #expect(try await host.moonpeer("reload", "one", "--wait").status == 0)
    #expect(try await host.moonpeer("console", "-e", "probation").output == "one: the code in force is trusted\n")
    try await host.stop()
  }

  @Test func `reaches the nodes of several processes`() async throws {
    let folder = try Folder(["one.lua": Self.script(1), "two.lua": Self.script(1)])
    let first = try await RunningHost("one.lua", in: folder)
    let second = try await RunningHost("one.lua", in: folder)
    let third = try await RunningHost("two.lua", in: folder)
    let unclear = try await first.moonpeer("reload", "one")
    #expect(unclear.status == 64 && unclear.errors.contains("have a node \"one\"; choose one with --host"), "\(unclear)")
    let chosen = try await first.moonpeer("reload", "one", "--host", "\(second.program.process)", "--json")
    #expect(try document(chosen).result.nodes.map(\.process) == [Int(second.program.process)])
    let named = try await first.moonpeer("reload", "two", "--json")
    #expect(try document(named).result.nodes.map(\.process) == [Int(third.program.process)])
    let all = try document(try await first.moonpeer("reload", "--all", "--canary", "10%", "--json"))
    #expect(all.ok && Set(all.result.nodes.map(\.process)).count == 3)
    // Of each script one.
    #expect(all.result.canaries == 2)
    #expect(Set(all.result.nodes.prefix(2).map(\.node)) == ["one", "two"])
    for host in [first, second, third] { try await host.stop() }
  }

  @Test func `Ctrl-C ends the waiting, and nothing else`() async throws {
    let folder = try Folder(["one.lua": Self.script(1)])
    let host = try await RunningHost("one.lua", ["--count", "2"], in: folder)
    try folder.write("one.lua", Self.script(2).replacingOccurrences(of: "60ms", with: "10m"))
    let reload = try Program(["reload", "--all", "--canary", "50%"], in: folder, environment: host.environment)
    _ = try await reload.outputLine("waiting for the probation of one-1")
    reload.signal(SIGINT)
    let run = try await reload.finish()
    #expect(run.status == 130, "\(run)")
    #expect(run.output.contains("reloaded   generation 2, version 2"), "\(run)")
    #expect(run.output.contains("untouched  generation 1, version 1"), "\(run)")
    #expect(run.errors == "moonpeer: one-2: interrupted\n", "\(run)")
    try await host.stop()
  }

  @Test(arguments: [
    (["reload"], "which node? Name it, or say --all"),
    (["reload", "on"], "there is no node \"on\"; did you mean \"one\"?"),
    (["reload", "one", "two"], "there is no node \"two\""),
    (["reload", "--all", "one"], "--all is all nodes: \"one\" is too much beside it"),
    (["reload", "one", "--canary", "many"], "--canary: a share such as 10% is expected, got many"),
  ])
  func `a wrong command line is refused, and nothing is reloaded`(arguments: [String], message: String) async throws {
    let folder = try Folder(["one.lua": Self.script(1)])
    let host = try await RunningHost("one.lua", in: folder)
    let run = try await Program(arguments, in: folder, environment: host.environment).finish()
    #expect(run.status == 64 && run.errors.hasPrefix("moonpeer: \(message)"), "\(run)")
    #expect(try await host.moonpeer("console", "-e", "node:heuristics().reloads").output == "0\n")
    try await host.stop()
  }
}
