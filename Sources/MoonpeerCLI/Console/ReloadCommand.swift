import ArgumentParser
import Glibc
import NodeAdmin
import NodeScripting

struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Replace the code of running nodes.",
    usage: "moonpeer reload <node> ... [<script>] [<options>]\nmoonpeer reload --all [<script>] [<options>]",
    discussion: """
      Same connections, same state, no message lost. Where anything is wrong with the new code the old one goes on, and the \
      exit status is 1; where it fails soon after, the node goes back to the old one by itself.

      Several nodes, of one process or of several, are reloaded one after the other, no further than the first that fails or \
      is rolled back. Then it waits until all are trusted, and says which node has which code.

      Examples:
        moonpeer reload echo                 from the node's own file, as it is now
        moonpeer reload echo echo-2.lua      from another file
        moonpeer reload echo-1 echo-2 --wait
        moonpeer reload --all --canary 10%
      """)

  @Argument(
    help: ArgumentHelp(
      "The nodes; and the script, without which each gets the file that its code is from.", valueName: "node|script"))
  var words: [String] = []

  @Flag(help: "All nodes, of all processes or of that of --host.")
  var all = false

  @Option(
    help: ArgumentHelp(
      "Of the nodes of a script, reload so many first, and the others when those have held.", valueName: "percent"))
  var canary: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Wait until the new code is trusted, and fail where it is rolled back (default: with several nodes).")
  var wait: Bool?

  @OptionGroup var host: HostOptions

  func run() async throws {
    let share = try canary.map { text throws(CommandFailure) in try CanaryShare.parse(text) }
    let targets = try ReloadTargets(words, all: all, host: host.host)
    let waits = wait ?? (targets.nodes.count > 1 || canary != nil)
    let rolling = RollingReload(canary: share ?? 0, watched: waits ? .all : .canaries)
    let status = try await ReloadRun(targets, rolling, isForProgram: host.json, wake: try Wakeups.install()).finish()
    if status != .success { throw ExitCode(status.rawValue) }
  }
}
