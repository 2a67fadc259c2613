import Foundation
import Testing

@testable import Benchmarks

@Suite struct `The guard of the message path` {
  private let accepted: AcceptedInstructions

  init() throws {
    accepted = try AcceptedInstructions("# a comment\narchitecture x86_64\nlua 1700\nswift 239\n")
  }

  @Test func `a message that became a tenth dearer fails, with the figures`() {
    let verdict = accepted.verdict(on: "lua", 1870)
    #expect(verdict.isDearer)
    #expect(verdict.text.contains("lua 1870, accepted 1700 (+10.0%)"))
  }

  @Test(arguments: [1700, 1717, 1683]) func `what differs from run to run passes`(count: Int) {
    #expect(!accepted.verdict(on: "lua", count).isDearer)
  }

  @Test func `a message that became cheaper passes, and the figure should be kept`() {
    let verdict = accepted.verdict(on: "swift", 200)
    #expect(!verdict.isDearer)
    #expect(verdict.text.contains("make accept-instructions"))
  }

  @Test func `a figure that nobody accepted fails`() {
    #expect(accepted.verdict(on: "echo", 1).isDearer)
  }

  @Test func `what was counted is written and read again`() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("instructions-\(UUID()).txt").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try accepted.replaced(by: ["lua": 1500, "echo": 19000], on: "2026-11-21").write(to: path)
    let again = try AcceptedInstructions(contentsOf: path)
    #expect(again.architecture == Machine.architecture)
    #expect(again.verdict(on: "lua", 1500).text == "lua 1500, accepted 1500 (+0.0%)")
    #expect(again.verdict(on: "swift", 1).isDearer)
  }

  @Test(arguments: ["lua", "lua many", "lua 0", "lua 1 2"]) func `a line that is none is refused`(line: String) {
    #expect(throws: BenchError.self) { try AcceptedInstructions(line + "\n") }
  }

  @Test func `the accepted figures cover every replay`() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let accepted = try AcceptedInstructions(contentsOf: folder.appendingPathComponent("instructions.txt").path)
    for subject in ReplayCase.guarded {
      #expect(!accepted.verdict(on: subject.rawValue, 1).isDearer, "\(subject) has no accepted figure")
    }
  }

  @Test(arguments: ReplayCase.allCases) func `every message of a replay arrives`(subject: ReplayCase) throws {
    try subject.run(1000)
  }
}
