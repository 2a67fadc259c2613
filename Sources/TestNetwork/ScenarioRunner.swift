public import Logging
import LuaHost
public import NIOCore
public import NodeEngine
import NodeScripting

/// Runs the scenarios of Lua files on real sockets in this process.
public struct ScenarioRunner: Sendable {
  /// What a run tells while it goes on.
  public enum Event: Sendable {
    case started(name: String, index: Int, count: Int)
    case finished(ScenarioResult)
  }

  /// Runs only scenarios whose name contains this text.
  public var filter: String?
  /// Ends with the first failure.
  public var stopsAtFirstFailure = false
  /// What is kept of the nodes' logs for the case of a failure.
  public var logLevel = Logger.Level.debug
  /// Gets the nodes' logs as they come; nil: nobody does.
  public var logger: Logger?
  /// How long the nodes of a scenario may take to stop, and a scenario over its own timeout to notice. What takes longer is
  /// stuck: the scenario has failed, its loops are left behind, and the next ones run on others.
  public var patience = Duration.seconds(30)
  private let loops: ScenarioLoops

  /// Its nodes live on the process's loops.
  public init() { self.init(on: ScenarioLoops({ .sockets(logger: $0) })) }

  /// - Parameter group: the loops of NIO's that the nodes share.
  public init(on group: any EventLoopGroup) { self.init(on: ScenarioLoops({ .sockets(on: group, logger: $0) })) }

  /// - Parameter loops: what the nodes share; the caller shuts them down.
  public init(on loops: EpollLoops) { self.init(on: ScenarioLoops({ .sockets(on: loops, logger: $0) })) }

  init(on loops: ScenarioLoops) { self.loops = loops }

  /// The names of a file's scenarios with the places they are declared at.
  ///
  /// - Throws: ``ScenarioError`` where the file cannot be loaded or has none.
  public func scenarios(in path: String) async throws(ScenarioError) -> [(name: String, location: String)] {
    try await declared(in: path).map { ($0.name, $0.location) }
  }

  private func declared(in path: String) async throws(ScenarioError) -> [ScenarioFile.Scenario] {
    let file = try await ScenarioFile.load(path, environment: loops.environment(quiet))
    defer { file.close() }
    return file.scenarios
  }

  /// Runs a file's scenarios one after the other, each in a VM and a network of its own.
  public func run(
    _ path: String, onEvent: @Sendable (Event) -> Void = { _ in }
  ) async throws(ScenarioError) -> [ScenarioResult] {
    let all = try await declared(in: path)
    let chosen = all.indices.filter { index in filter.map { all[index].name.contains($0) } ?? true }
    var results: [ScenarioResult] = []
    for (position, index) in chosen.enumerated() {
      onEvent(.started(name: all[index].name, index: position, count: chosen.count))
      let result = await run(path, index, all[index])
      results.append(result)
      onEvent(.finished(result))
      if stopsAtFirstFailure, !result.hasPassed { break }
    }
    return results
  }

  private var quiet: Logger { LogCollector().logger(level: .critical, more: nil) }

  private func run(_ path: String, _ index: Int, _ scenario: ScenarioFile.Scenario) async -> ScenarioResult {
    let collector = LogCollector()
    let logger = collector.logger(level: logLevel, more: logger)
    let clock = ContinuousClock()
    let start = clock.now
    var looks = 0
    var isStuck = false
    var outcome = ScenarioResult.Outcome.passed
    do {
      let file = try await ScenarioFile.load(path, environment: loops.environment(logger))
      let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
      let world = ScenarioWorld(folder: folder.isEmpty ? "/" : folder, environment: { [loops] in loops.environment(logger) })
      switch await within(scenario.timeout + patience, { await file.run(index, in: world) }) {
      case .success(let count)?: looks = count
      case .failure(let error)?: outcome = .failed(ScenarioFailure(error, in: path))
      case nil:
        isStuck = true
        outcome = .failed(.stuck("the scenario did not end, nor could it be ended", scenario.location))
      }
      let left = await world.close(within: patience)
      if !left.isEmpty, outcome == .passed {
        outcome = .failed(.stuck("\(left.joined(separator: ", ")) did not stop within \(patience)", scenario.location))
      }
      if !left.isEmpty || isStuck { loops.leave() }
      file.close()
    } catch {
      outcome = .failed(ScenarioFailure(message: error.message, location: nil, traceback: nil, log: []))
    }
    if case .failed(var failure) = outcome {
      failure.log = collector.lines
      outcome = .failed(failure)
    }
    return ScenarioResult(
      file: path, name: scenario.name, location: scenario.location, outcome: outcome, duration: clock.now - start, looks: looks)
  }
}
