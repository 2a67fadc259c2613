import Foundation
import NodeEngine
import NodeScripting
import TestNetwork
import Testing

@testable import APIReference

/// The examples of the reference are whole scripts and scenarios; each is checked as a reader would.
@Suite struct ReferenceExampleTests {
  private static let examples = ReferenceFile.text.matches(of: /```lua\n([\s\S]*?)```/).map { String($0.output.1) }
  private static let scripts = examples.filter { !$0.hasPrefix("-- scenario.lua") }
  private static let scenarios = examples.filter { $0.hasPrefix("-- scenario.lua") }

  @Test func `Every section has an example`() {
    #expect(Self.examples.count == Document.sections.count + 2)
    #expect(Self.scenarios.count == 1)
  }

  @Test(.timeLimit(.minutes(1)), arguments: scripts)
  func `A script in the reference is free of mistakes`(text: String) async throws {
    let source = ScriptSource(name: "example.lua", text: text)
    let declaration = try await ScriptedNode.inspect(source, environment: .sockets())
    #expect(declaration.problems.isEmpty)
    #expect(!declaration.hooks.isEmpty)
  }

  @Test(.timeLimit(.minutes(1)), arguments: scenarios)
  func `A scenario in the reference passes`(text: String) async throws {
    try await withFolder { folder in
      let file = folder.appendingPathComponent("scenario.lua")
      try Data(text.utf8).write(to: file)
      try FileManager.default.copyItem(
        at: repository.appendingPathComponent("scripts/echo.lua"), to: folder.appendingPathComponent("echo.lua"))
      let results = try await ScenarioRunner().run(file.path)
      for result in results { #expect(result.outcome == .passed) }
      #expect(!results.isEmpty)
    }
  }
}
