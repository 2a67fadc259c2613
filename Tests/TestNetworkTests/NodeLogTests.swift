import Foundation
import NodeSupport
import TestNetwork
import Testing

@Test(.timeLimit(.minutes(5))) func `What a script logs carries the name of its node`() async throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: "moonpeer-log-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try Data(
    """
    local log = require "moonpeer.log"
    return { calls = { say = function(_, text) log.info(text) end } }
    """.utf8
  ).write(to: folder.appending(path: "speaker.lua"))
  let scenario = folder.appending(path: "scenario.lua")
  try Data(
    """
    local network = require "moonpeer.network"
    network.scenario("both speak", function(net)
      net:node("speaker.lua", { name = "ann" }):call("say", "first")
      net:node "speaker.lua":call("say", "second")
      net:fail "so that the log is shown"
    end)
    """.utf8
  ).write(to: scenario)
  let results = try await withLoops { try await ScenarioRunner(on: $0).run(scenario.path(percentEncoded: false)) }
  guard case .failed(let failure)? = results.first?.outcome else {
    Issue.record("the scenario was to fail")
    return
  }
  #expect(failure.log.contains("ann info: first"), "\(failure.log)")
  #expect(failure.log.contains("node-2 info: second"), "\(failure.log)")
}
