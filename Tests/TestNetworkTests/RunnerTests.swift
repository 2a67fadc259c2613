import Dispatch
import Logging
import NodeEngine
import NodeSupport
import Synchronization
import Testing

@testable import TestNetwork

@Suite(.timeLimit(.minutes(5))) struct RunnerTests {
  private let two = """
    local network = require "moonpeer.network"
    network.scenario("first", function(net) net:node("echo.lua") end)
    network.scenario("second", function(net) net:fail("no") end)
    network.scenario("third", function(net) net:node("echo.lua") end)
    """

  @Test func `Scenarios are listed with their places and run in order, each told as it starts and ends`() async throws {
    let folder = try ScenarioFolder(["echo.lua": echoScript, "scenario.lua": two])
    let runner = ScenarioRunner()
    let list = try await runner.scenarios(in: folder["scenario.lua"])
    #expect(list.map(\.name) == ["first", "second", "third"])
    #expect(list.map(\.location) == [2, 3, 4].map { folder["scenario.lua"] + ":\($0)" })
    let told = Mutex<[String]>([])
    let results = try await runner.run(folder["scenario.lua"]) { event in
      switch event {
      case .started(let name, let index, let count): told.withLock { $0.append("\(name) \(index)/\(count)") }
      case .finished(let result): told.withLock { $0.append("\(result.name) \(result.hasPassed)") }
      }
    }
    #expect(results.map(\.hasPassed) == [true, false, true])
    #expect(told.withLock { $0 } == ["first 0/3", "first true", "second 1/3", "second false", "third 2/3", "third true"])
  }

  @Test func `A filter chooses by name, and a run may end at the first failure`() async throws {
    let folder = try ScenarioFolder(["echo.lua": echoScript, "scenario.lua": two])
    var runner = ScenarioRunner()
    runner.stopsAtFirstFailure = true
    #expect(try await runner.run(folder["scenario.lua"]).map(\.name) == ["first", "second"])
    runner.filter = "ir"
    #expect(try await runner.run(folder["scenario.lua"]).map(\.name) == ["first", "third"])
  }

  @Test func `A scenario that does not end is ended at its timeout`() async throws {
    let result = try await runScenario(#"net:sleep("1h")"#, options: #"timeout = "50ms""#)
    #expect(result.failure?.message == "the scenario did not end within 0.05 s")
  }

  @Test(arguments: [
    ("on_shutdown = function() print 'block' end", "", "anna did not stop within 2.0 seconds: a script holds its loop"),
    (
      "calls = { block = function() print 'block' end }", "anna:call 'block'",
      "the scenario did not end, nor could it be ended: a script holds its loop"
    ),
  ])
  func `A node that cannot be stopped fails its scenario; the next one runs on another loop`(
    hook: String, body: String, message: String
  ) async throws {
    let made = Mutex<[EpollLoops]>([])
    // One loop, so that a scenario and its nodes share it.
    let fresh: @Sendable () -> ScenarioLoops.Environment = {
      let loops = EpollLoops(count: 1)
      made.withLock { $0.append(loops) }
      return { .sockets(on: loops, logger: $0) }
    }
    let scenario = """
      local network = require "moonpeer.network"
      network.scenario("stuck", { timeout = "2s" }, function(net)
        local anna = net:node("stuck.lua", { name = "anna" }) \(body)
      end)
      network.scenario("fine", function(net) net:node("echo.lua") end)
      """
    let folder = try ScenarioFolder([
      "echo.lua": echoScript, "stuck.lua": "return { \(hook) }", "scenario.lua": scenario,
    ])
    let gate = Gate()
    var runner = ScenarioRunner(on: ScenarioLoops(fresh(), fresh: fresh))
    runner.patience = .seconds(2)
    runner.logger = Logger(label: "gate") { _ in gate }
    let results = try await runner.run(folder["scenario.lua"])
    gate.semaphore.signal()
    #expect(results.map(\.hasPassed) == [false, true])
    #expect(results[0].failure?.message.hasPrefix(message) == true, "\(results[0])")
    #expect(made.withLock { $0.count } == 2)
    for loops in made.withLock({ $0 }) { await loops.shutDown() }
  }

  @Test(arguments: [
    #"(("a"):rep(60000)):find(".-.-.-.-.-.-b")"#, #"net:node("stuck.lua"):call "search""#,
    #"net:eventually("found", "1h", function() return (("a"):rep(60000)):find(".-.-.-.-.-.-b") end)"#,
  ])
  func `A scenario that is stuck in a pattern fails by its budget, and the next one runs on the same loop`(body: String)
    async throws
  {
    let folder = try ScenarioFolder([
      "echo.lua": echoScript,
      "stuck.lua": """
      return { config = { script_time = "200ms" },
        calls = { search = function() return (("a"):rep(60000)):find(".-.-.-.-.-.-b") end } }
      """,
      "scenario.lua": """
      local network = require "moonpeer.network"
      network.scenario("stuck", function(net) \(body) end)
      network.scenario("fine", function(net) net:node("echo.lua") end)
      """,
    ])
    let results = try await withLoops { try await ScenarioRunner(on: $0).run(folder["scenario.lua"]) }
    #expect(results.map(\.hasPassed) == [false, true])
    #expect(results[0].failure?.message.contains("script_time") == true, "\(results[0])")
  }

  /// Holds up whoever logs the word, as a C function does that Lua cannot be taken out of.
  private struct Gate: LogHandler {
    let semaphore = DispatchSemaphore(value: 0)
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      guard event.message == "block" else { return }
      semaphore.wait()
      semaphore.signal()
    }
  }

  @Test func `A node's endless loop costs that node's call, not the process`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua", { script_time = "200ms" })
      local ok, problem = pcall(a.eval, a, "while true do end")
      net:expect(not ok and problem.kind == "budget", tostring(problem))
      net:expect(a:call("heard") == 0 and a:heuristics().budget_kills == 1)
      """)
    #expect(result.failure == nil)
  }

  @Test func `A failure carries the log of the nodes that took part`() async throws {
    let noisy = """
      local log = require "moonpeer.log"
      return { init = function(node) log.info("woke up", { as = node.name }) end,
        calls = { bad = function(node) node:spawn(function() error("spilled the milk") end) end } }
      """
    let result = try await runScenario(
      """
      local a = net:node("noisy.lua", { name = "cat" })
      a:call("bad")
      net:eventually("counted", "5s", function() return a:heuristics().script_errors == 1 end)
      net:fail("look at the log")
      """, files: ["noisy.lua": noisy])
    let log = try #require(result.failure?.log).joined(separator: "\n")
    #expect(log.contains("cat info: woke up as=cat"))
    #expect(log.contains("spilled the milk"))
    #expect(log.contains("noisy.lua:3"))
  }

  @Test(arguments: [
    ("local network = require \"moonpeer.network\"", "there is no scenario in this file"), ("return {", "scenario.lua:1:"),
    ("local network = require 'moonpeer.network'\nnetwork.scenaro('x', print)", "scenario.lua:2:"),
    ("local network = require 'moonpeer.network'\nnetwork.scenario('x', 5)", "a function(net) is expected, got integer 5"),
    ("local n = require 'moonpeer.network'\nn.scenario('x', print)\nn.scenario('x', print)", "stands twice"),
    ("require 'moonpeer.netwrk'", "moonpeer.network"),
    ("local n = require 'moonpeer.network'\nn.scenario('x', { timout = 3 }, print)", "did you mean \"timeout\"?"),
  ])
  func `A file that cannot be run is refused with the reason`(text: String, reason: String) async throws {
    let folder = try ScenarioFolder(["scenario.lua": text])
    let error = await #expect(throws: ScenarioError.self) { try await ScenarioRunner().run(folder["scenario.lua"]) }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test func `A missing file is named`() async throws {
    let error = await #expect(throws: ScenarioError.self) { try await ScenarioRunner().run("/nowhere/scenario.lua") }
    #expect(error?.message.contains("/nowhere/scenario.lua") == true)
  }
}
