import ArgumentParser
import Glibc
import Logging
import TestNetwork

struct TestCommand: AsyncParsableCommand {
  enum World: String, ExpressibleByArgument, CaseIterable { case real, sim }

  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Run the scenarios of test networks.",
    usage: "moonpeer test [<options>] <file> ...",
    discussion: """
      A line per scenario with its time, a count at the end. A scenario that fails shows its message, its place and \
      the logs of the nodes that took part; the exit status is then 1. In a folder every Lua file is taken, at any \
      depth, that has "scenario" in its name or lies in a folder called scenarios.

      Examples:
        moonpeer test examples/telephone/scenario.lua
        moonpeer test examples scripts --filter handshake
        moonpeer test examples --junit results.xml
        moonpeer test examples --tap | prove -e cat /dev/stdin
      """)

  @Argument(help: ArgumentHelp("Scenario files, or folders with them.", valueName: "file"))
  var files: [String]

  @Option(help: ArgumentHelp("Only scenarios whose name contains this text.", valueName: "text"))
  var filter: String?

  @Flag(help: "Only list the scenarios and where they are declared.")
  var list = false

  @Flag(help: "End with the first scenario that fails.")
  var failFast = false

  @Flag(help: "Results in the Test Anything Protocol.")
  var tap = false

  @Option(help: ArgumentHelp("Write the results as JUnit XML too.", valueName: "file"))
  var junit: String?

  @Flag(help: "Show the nodes' logs as they come, on standard error, at --log-level.")
  var showLogs = false

  @Option(help: ArgumentHelp("Where the network is: real sockets (sim is not in this version).", valueName: "world"))
  var world = World.real

  @OptionGroup(title: "Log options")
  var logging: LogOptions

  func run() async throws {
    try EnvironmentVariables.check()
    guard world == .real else {
      throw CommandFailure(.usage, "--world sim: the simulated world is not in this version; leave --world out for real sockets")
    }
    let files = try ScenarioFiles.find(files)
    var runner = ScenarioRunner()
    runner.filter = filter
    runner.stopsAtFirstFailure = failFast
    if showLogs {
      runner.logger = logging.logger()
      runner.logLevel = min(logging.logLevel, runner.logLevel)
    }
    if list { return try await list(files, runner) }
    let junit = try junit.map { path throws(CommandFailure) in try JUnitFile(path) }
    let reporter = TestReporter(tap ? .tap : .text(TextReport(palette: .for(.standard))))
    try Interrupts.install { signal in
      reporter.finish(interruption: signal == SIGINT ? "interrupted" : "terminated")
      do throws(CommandFailure) { try junit?.write(reporter.entries, duration: reporter.elapsed) } catch { error.leave() }
      LogQueue.standardError.flush()
      _exit(128 + signal)
    }
    let progress = progressTask(reporter)
    let logger = runner.logger
    for file in files {
      do throws(ScenarioError) {
        let results = try await runner.run(file) { event in
          reporter.report(event)
          // Says whose logs follow.
          if case .started(let name, _, _) = event { logger?.notice("scenario: \(name)") }
        }
        if failFast, results.contains(where: { !$0.hasPassed }) { break }
      } catch {
        reporter.add(TestEntry(unloadable: file, error))
        if failFast { break }
      }
    }
    progress?.cancel()
    let entries = reporter.entries
    if entries.isEmpty {
      throw CommandFailure(.usage, "no scenario's name contains \"\(Printable.text(filter ?? ""))\"; --list shows the names")
    }
    reporter.finish()
    try junit?.write(entries, duration: reporter.elapsed)
    if !entries.allSatisfy(\.hasPassed) { throw ExitCode(ExitStatus.failed.rawValue) }
  }

  private func progressTask(_ reporter: TestReporter) -> Task<Void, Never>? {
    guard !tap, !showLogs, Output.standard.isTerminal else { return nil }
    return Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(200))
        reporter.drawProgress(width: Output.standard.width)
      }
    }
  }

  private func list(_ files: [String], _ runner: ScenarioRunner) async throws {
    var hasFailed = false
    for file in files {
      let scenarios: [(name: String, location: String)]
      do throws(ScenarioError) {
        scenarios = try await runner.scenarios(in: file)
      } catch {
        Output.error.tell(error.message + "\n")
        hasFailed = true
        continue
      }
      for scenario in scenarios where filter.map(scenario.name.contains) ?? true {
        try Output.standard.write("\(scenario.location)  \(Printable.text(scenario.name))\n")
      }
    }
    if hasFailed { throw ExitCode(ExitStatus.failed.rawValue) }
  }
}
