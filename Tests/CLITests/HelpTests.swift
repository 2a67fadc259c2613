import Foundation
import Testing

@testable import MoonpeerCLI

@Suite(.timeLimit(.minutes(5))) struct `The program` {
  let folder = try! Folder()

  @Test func `says its version on standard output`() async throws {
    let run = try await moonpeer("--version", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.output == Version.text + "\n")
    #expect(run.errors.isEmpty)
  }

  @Test(arguments: [[], ["run"], ["check"], ["test"], ["new"], ["console"], ["reload"]])
  func `has help with examples for each command`(command: [String]) async throws {
    let run = try await Program(command + ["--help"], in: folder).finish()
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("Examples:\n  moonpeer \(command.first ?? "")"))
    #expect(run.errors.isEmpty)
    // Lines are wrapped by the parser; none of ours may be broken in the middle of an example.
    for line in run.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
  }

  @Test func `lists its exit codes in its help, and docs has the same table`() async throws {
    let help = try await moonpeer("--help", in: folder).output
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let docs = try String(contentsOf: root.appendingPathComponent("docs/cli.md"), encoding: .utf8)
    for status in ExitStatus.allCases {
      #expect(help.contains("\(status.rawValue)  \(status.meaning)"))
      #expect(docs.contains("| \(status.rawValue) | \(status.meaning) |"))
    }
  }

  @Test(arguments: [
    (["rnu"], "there is no command \"rnu\"; did you mean \"run\"?"),
    (["echo.lua"], "there is no command \"echo.lua\"; to run a script: moonpeer run echo.lua"),
    (["help", "rnu"], "there is no command \"rnu\"; did you mean \"run\"?"),
    (["zzzzzz"], "there is no command \"zzzzzz\"; see moonpeer --help"),
    (["run", "x.lua", "--max-conections", "3"], "Unknown option '--max-conections'. Did you mean '--max-connections'?"),
    (["run"], "Missing expected argument '<script> ...'"),
    (["run", "x.lua", "--log-level", "loud"], "The value 'loud' is invalid for '--log-level <level>'."),
    (["run", "x.lua", "--count", "many"], "The value 'many' is invalid for '--count <number>'"),
    (["test"], "Missing expected argument '<file> ...'"),
    (["test", "x.lua", "--world", "moon"], "The value 'moon' is invalid for '--world <world>'."),
    (["test", "x.lua", "--world", "sim"], "--world sim: the simulated world is not in this version"),
  ])
  func `refuses a wrong command line with 64 and a hint`(arguments: [String], message: String) async throws {
    let run = try await Program(arguments, in: folder).finish()
    #expect(run.status == 64, "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: \(message)"), "\(run)")
    #expect(run.output.isEmpty)
  }
}
