import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer test` {
  @Test func `has a line per scenario with its time and a count at the end`() async throws {
    let folder = try Folder(["a_scenario.lua": Scripts.passing])
    let run = try await moonpeer("test", "a_scenario.lua", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains(/^ok    sums are right \([0-9.]+ m?s\)\n1 scenario: 1 passed \([0-9.]+ m?s\)\n$/), "\(run)")
    #expect(run.errors.isEmpty, "\(run)")
  }

  @Test func `ends with 1 after a failure and shows message, place and the nodes' logs`() async throws {
    let folder = try Folder([
      "life.lua": Scripts.life,
      "scenario.lua": Scripts.scenarios([
        ("fails", "local n = net:nodes(2, 'life.lua')\nnet:connect(n, network.line())\nnet:expect(false, 'pigs do not fly')"),
        ("passes", "net:expect(true)"),
      ]),
    ])
    let run = try await moonpeer("test", "scenario.lua", in: folder)
    #expect(run.status == 1, "\(run)")
    #expect(run.output.contains("      scenario.lua:4: pigs do not fly\n"), "\(run)")
    #expect(run.output.contains("info: up"), "\(run)")
    #expect(run.output.contains("\nok    passes"), "\(run)")
    #expect(run.output.contains("2 scenarios: 1 failed, 1 passed"), "\(run)")
  }

  @Test func `shows what an eventually said when it last failed`() async throws {
    let body = "net:eventually('it rains', '20ms', function() return false, 'not a cloud in sight' end)"
    let folder = try Folder(["scenario.lua": Scripts.scenarios([("waits", body)])])
    let run = try await moonpeer("test", "scenario.lua", in: folder)
    #expect(run.status == 1, "\(run)")
    #expect(run.output.contains("eventually \"it rains\" did not hold within 0.02 s: not a cloud in sight"), "\(run)")
  }

  @Test func `takes the scenario files of a folder, at any depth`() async throws {
    let folder = try Folder([
      "all/a/scenario.lua": Scripts.scenarios([("first", "")]), "all/b_scenario.lua": Scripts.scenarios([("second", "")]),
      "all/life.lua": Scripts.life, "all/.hidden/scenario.lua": "not lua at all",
    ])
    let run = try await moonpeer("test", "all", "all/a/scenario.lua", "--list", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.output == "all/a/scenario.lua:2  first\nall/b_scenario.lua:2  second\n")
  }

  @Test func `refuses what is missing or empty before anything runs`() async throws {
    let folder = try Folder(["scenario.lua": Scripts.passing, "empty/life.lua": Scripts.life])
    let missing = try await moonpeer("test", "scenario.lua", "nope", in: folder)
    #expect(missing.status == 66, "\(missing)")
    #expect(missing.errors == "moonpeer: cannot read \"nope\": No such file or directory\n")
    #expect(missing.output.isEmpty)
    let empty = try await moonpeer("test", "empty", in: folder)
    #expect(empty.status == 66, "\(empty)")
    #expect(empty.errors.contains("there is no scenario file in \"empty\""))
  }

  @Test func `counts a file that cannot be loaded and goes on with the others`() async throws {
    let folder = try Folder([
      "a_scenario.lua": "network.scenario(", "b_scenario.lua": "return 1", "c_scenario.lua": Scripts.passing,
    ])
    let run = try await moonpeer("test", ".", in: folder)
    #expect(run.status == 1, "\(run)")
    #expect(run.output.contains("a_scenario.lua:1: "), "\(run)")
    #expect(run.output.contains("there is no scenario in this file"), "\(run)")
    #expect(run.output.contains("3 scenarios: 2 failed, 1 passed"), "\(run)")
  }

  @Test func `chooses by name`() async throws {
    let folder = try Folder(["scenario.lua": Scripts.scenarios([("one # 1", ""), ("two", "net:fail('never')")])])
    let some = try await moonpeer("test", "scenario.lua", "--filter", "# 1", in: folder)
    #expect(some.status == 0, "\(some)")
    #expect(some.output.contains("1 scenario: 1 passed"))
    let none = try await moonpeer("test", "scenario.lua", "--filter", "three", in: folder)
    #expect(none.status == 64, "\(none)")
    #expect(none.errors.contains("no scenario's name contains \"three\"; --list shows the names"))
  }

  @Test func `ends with the first failure where asked`() async throws {
    let folder = try Folder([
      "a_scenario.lua": Scripts.scenarios([("one", "net:fail('no')"), ("two", "")]), "b_scenario.lua": Scripts.passing,
    ])
    let run = try await moonpeer("test", ".", "--fail-fast", in: folder)
    #expect(run.status == 1, "\(run)")
    #expect(run.output.contains("1 scenario: 1 failed, 0 passed"), "\(run)")
  }

  @Test func `shows the nodes' logs as they come where asked`() async throws {
    let folder = try Folder([
      "life.lua": Scripts.life, "scenario.lua": Scripts.scenarios([("starts a node", "net:node('life.lua', { name = 'solo' })")]),
    ])
    let quiet = try await moonpeer("test", "scenario.lua", in: folder)
    #expect(quiet.errors.isEmpty, "\(quiet)")
    let run = try await moonpeer("test", "scenario.lua", "--show-logs", "--log-level", "info", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.errors.contains("notice  scenario: starts a node\n"), "\(run)")
    #expect(run.errors.contains("info    solo up limit=100 rate=10"), "\(run)")
    #expect(!run.errors.contains("debug"), "\(run)")
    #expect(!run.output.contains("solo"))
  }

  @Test(arguments: [(SIGINT, 130, "interrupted"), (SIGTERM, 143, "terminated")])
  func `stops at a signal with what it has`(signal: Int32, status: Int32, word: String) async throws {
    let folder = try Folder(["scenario.lua": Scripts.scenarios([("short", ""), ("endless", "net:sleep(50)")])])
    let program = try Program(["test", "scenario.lua", "--junit", "out.xml", "--show-logs"], in: folder)
    _ = try await program.errorLine("scenario: endless")
    program.signal(signal)
    let run = try await program.finish()
    #expect(run.status == status, "\(run)")
    #expect(run.output.contains("\(word) during: endless\n1 scenario: 1 passed"), "\(run)")
    #expect(try folder.read("out.xml").contains("name=\"short\""))
  }

  @Test(arguments: [Program.Sink.device("/dev/full"), .closedPipe, .nothing])
  func `says so when its results cannot be written`(sink: Program.Sink) async throws {
    let folder = try Folder(["scenario.lua": Scripts.passing])
    let run = try await moonpeer("test", "scenario.lua", in: folder, sink: sink)
    #expect(run.status == 74, "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: cannot write to standard output: "), "\(run)")
    let help = try await moonpeer("--help", in: folder, sink: sink)
    #expect(help.status == 74, "\(help)")
  }
}
