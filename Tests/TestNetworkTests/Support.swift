import Foundation
import NodeSupport
import TestNetwork

/// A folder of scenario files and scripts, gone when the test is.
final class ScenarioFolder {
  let path: String

  init(_ files: [String: String]) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, text) in files {
      try text.write(to: folder.appendingPathComponent(name), atomically: false, encoding: .utf8)
    }
    path = folder.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  subscript(_ file: String) -> String { path + "/" + file }
}

let echoScript = """
  local codec = require "moonpeer.codec"
  return { codec = codec.length_prefixed(), args = { greeting = "hello" },
    init = function(node) node.state.heard = 0 end,
    process_message = function(node, conn, message)
      node.state.heard = node.state.heard + 1
      if message == "ping" then conn:send("pong") end
    end,
    calls = {
      heard = function(node) return node.state.heard end,
      greeting = function(node) return node.args.greeting end,
      name = function(node) return node.name end,
      broadcast = function(node, text) return node:broadcast(text) end,
      fail = function() error("as asked") end,
    } }
  """

/// Runs the body of one scenario function over `echo.lua`.
func runScenario(_ body: String, options: String = "", files: [String: String] = [:]) async throws -> ScenarioResult {
  let scenario = """
    local network = require "moonpeer.network"
    network.scenario("it", { \(options) }, function(net)
    \(body)
    end)
    """
  let folder = try ScenarioFolder(files.merging(["echo.lua": echoScript, "scenario.lua": scenario]) { $1 })
  return try await withLoops { loops in try await ScenarioRunner(on: loops).run(folder["scenario.lua"])[0] }
}

extension ScenarioResult {
  var failure: ScenarioFailure? {
    if case .failed(let failure) = outcome { failure } else { nil }
  }
}
