import ArgumentParser
import Glibc
import NodeAdmin

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Replace a running node's code.",
    discussion: """
      Same connections, same state, no message lost. Where anything is wrong with the new code the old one goes on, and the \
      exit status is 1; where it fails soon after, the node goes back to the old one by itself and says so in its log.

      Examples:
        moonpeer reload echo                 from the node's own file, as it is now
        moonpeer reload echo echo-2.lua      from another file
      """)

  @Argument(help: ArgumentHelp("The node.", valueName: "node"))
  var node: String

  @Argument(help: ArgumentHelp("The script; without it the file that the code in force is from.", valueName: "script"))
  var script: String?

  @OptionGroup var host: HostOptions

  func run() throws {
    let link = try HostChoice(wish: host.host, node: node, isInteractive: false).connect()
    let session = ConsoleSession(link, node: node, isForProgram: host.json, budget: nil, wake: try Wakeups.install())
    // The host has a folder of its own.
    let outcome = try session.ask(.reload, [node] + (script.map { [Self.absolute($0)] } ?? []))
    if case .failed(let status) = outcome { throw ExitCode(status.rawValue) }
  }

  static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
  }
}
