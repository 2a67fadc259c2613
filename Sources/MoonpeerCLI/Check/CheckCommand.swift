import ArgumentParser
import NodeEngine
import NodeScripting
import TestNetwork

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Load scripts without a network: what they declare, and their mistakes.",
    usage: "moonpeer check [<options>] <script> ...",
    discussion: """
      A script's top level is run; its hooks are not. What it declares goes to standard output, its mistakes to \
      standard error as file:line: message. With mistakes the exit status is 1.

      Examples:
        moonpeer check chat.lua
        moonpeer check scripts/*.lua
      """)

  @Argument(help: ArgumentHelp("The scripts.", valueName: "script"))
  var scripts: [String]

  @Flag(name: .customLong("trusted"), help: "Give the scripts all of Lua's libraries while they are loaded.")
  var isTrusted = false

  @OptionGroup(title: "Log options")
  var logging: LogOptions

  func run() async throws {
    let environment = NodeEnvironment.sockets(logger: logging.logger())
    var options = ScriptOptions()
    options.isTrusted = isTrusted
    var worst = ExitStatus.success
    for path in scripts {
      let declaration: ScriptDeclaration
      do throws(ScriptError) {
        let source = try ScriptSource.file(path)
        declaration = try await ScriptedNode.inspect(source, options: options, environment: environment)
      } catch {
        if error.isAboutScenarioFile {
          if try await !checkScenarios(path), worst == .success { worst = .failed }
          continue
        }
        let failure = CommandFailure(error)
        Output.error.tell((failure.status == .missingInput ? "moonpeer: " : "") + failure.message + "\n")
        if worst != .missingInput { worst = failure.status }
        continue
      }
      try Output.standard.write(DeclarationReport(path: path, declaration: declaration).text)
      for problem in declaration.problems { Output.error.tell("\(Printable.text(problem.description))\n") }
      if worst == .success, !declaration.problems.isEmpty { worst = .failed }
    }
    if worst != .success { throw ExitCode(worst.rawValue) }
  }

  /// A scenario file has no node of its own; what it declares is its scenarios.
  private func checkScenarios(_ path: String) async throws -> Bool {
    let scenarios: [(name: String, location: String)]
    do throws(ScenarioError) {
      scenarios = try await ScenarioRunner().scenarios(in: path)
    } catch {
      Output.error.tell(error.message + "\n")
      return false
    }
    var text = "\(Printable.text(path)): ok\n"
    for (index, scenario) in scenarios.enumerated() {
      text += (index == 0 ? "  scenarios " : "            ") + Printable.text(scenario.name) + "\n"
    }
    try Output.standard.write(text)
    return true
  }
}
