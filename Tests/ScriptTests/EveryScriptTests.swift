import Foundation
import NodeEngine
import NodeScripting
import NodeSupport
import TestNetwork
import Testing

/// Everything under scripts/ and examples/, found by looking, so that what is added later is tested as well.
@Suite struct EveryScriptTests {
  @Test func `The scripts and examples that the project promises are there`() {
    for name in ["echo", "chat", "broadcast", "rate_limit", "rpc"] {
      #expect(Repository.scripts.contains("scripts/\(name).lua"))
    }
    for name in ["telephone", "hot_potato", "redis"] { #expect(Repository.examples.contains("examples/\(name)")) }
  }

  @Test(arguments: Repository.scripts) func `Every script has a scenario of its own name`(script: String) {
    let name = script.dropFirst("scripts/".count).dropLast(".lua".count)
    let scenario = "scripts/scenarios/\(name)_scenario.lua"
    #expect(Repository.exists(scenario), "write \(scenario): every script is tested")
  }

  @Test(arguments: Repository.examples) func `Every example has a scenario and a README`(example: String) {
    #expect(Repository.exists("\(example)/scenario.lua"), "\(example) has no scenario.lua")
    #expect(Repository.exists("\(example)/README.md"), "\(example) has no README.md")
  }

  @Test(arguments: Repository.scripts) func `Every script loads without a mistake`(script: String) async throws {
    let declaration = try await ScriptedNode.inspect(.file(Repository.path(script)), environment: .sockets())
    #expect(declaration.problems == [])
    #expect(declaration.name == String(script.dropFirst("scripts/".count).dropLast(".lua".count)))
    #expect(declaration.version != nil)
  }

  @Test(.timeLimit(.minutes(5)), arguments: Repository.scenarioFiles)
  func `Every scenario passes`(file: String) async throws {
    let results = try await withLoops { loops in try await ScenarioRunner(on: loops).run(Repository.path(file)) }
    #expect(!results.isEmpty)
    for result in results {
      guard case .failed(let failure) = result.outcome else { continue }
      let log = failure.log.suffix(60).joined(separator: "\n  ")
      Issue.record("\(result.name): \(failure.location ?? result.location): \(failure.message)\n  \(log)")
    }
  }
}
