import ArgumentParser
import Glibc
import NodeAdmin
import NodeCore

struct ConsoleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "console",
    abstract: "Look into running nodes: verbs, and Lua run inside them.",
    usage: "moonpeer console [<node>] [<options>]",
    discussion: """
      Talks to a process that runs nodes (moonpeer run) over a socket that only its owner can open. help lists the verbs; \
      anything else is Lua, evaluated in the node under its script_time and script_memory. Ctrl-C cancels what is running, \
      Ctrl-D leaves. Without a terminal it reads lines from standard input.

      Examples:
        moonpeer console
        moonpeer console echo -e 'node:counts()'
        moonpeer console --json -e connections
      """)

  @Argument(help: ArgumentHelp("The node that is meant where none is named.", valueName: "node"))
  var node: String?

  @OptionGroup var host: HostOptions

  @Option(name: .customShort("e"), help: ArgumentHelp("Asks this and leaves; may be repeated.", valueName: "code"))
  var code: [String] = []

  @Option(help: ArgumentHelp("How long typed Lua may wait; 0: for ever (default: 30s).", valueName: "duration"))
  var budget: String?

  func run() throws {
    let seconds = try budget.map { text in try Self.seconds(text) }
    let isInteractive = code.isEmpty && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && !host.json
    let link = try HostChoice(wish: host.host, node: node, isInteractive: isInteractive).connect()
    let session = ConsoleSession(
      link, node: node ?? (link.nodes.count == 1 ? link.nodes[0] : nil), isForProgram: host.json, budget: seconds,
      wake: try Wakeups.install())
    var status = ExitStatus.success
    if !code.isEmpty {
      for line in code {
        switch try session.ask(line) {
        case .fine, .unfinished: continue
        case .quit: break
        case .failed(let failure): status = failure
        case .misspelt: status = .failed
        }
        break
      }
    } else if isInteractive {
      try ConsoleDialogue(session).run()
    } else {
      status = try Self.readLines(session)
    }
    if status != .success { throw ExitCode(status.rawValue) }
  }

  /// To the end of the input; the first failure counts. What follows a mistake in the Lua itself is not run: it may be the
  /// rest of it. Other failures are no reason to stop.
  private static func readLines(_ session: ConsoleSession) throws -> ExitStatus {
    let lines = PipedLines(wake: session.wake, host: session.link.descriptor)
    var status = ExitStatus.success
    var pending = ""
    while true {
      let text: String
      var isLast = false
      switch lines.next() {
      case .line(let line): text = pending + line
      case .end:
        guard !pending.isEmpty else { return status }
        text = pending
        isLast = true
      case .interrupted:
        throw Wakeups.hasToEnd
          ? CommandFailure(.terminated, "ended by SIGTERM") : CommandFailure(.interrupted, "interrupted")
      case .hostGone: throw session.link.gone
      }
      pending = ""
      switch try session.ask(text, mayGoOn: !isLast) {
      case .quit: return status
      case .unfinished: pending = text + "\n"
      case .misspelt: return .failed
      case .failed(let failure): if status == .success { status = failure }
      case .fine: break
      }
    }
  }

  private static func seconds(_ text: String) throws(CommandFailure) -> Double {
    do throws(NodeCoreError) {
      let (seconds, attoseconds) = try DurationText.parse(text).components
      return Double(seconds) + Double(attoseconds) / 1e18
    } catch {
      throw CommandFailure(.usage, "--budget: \(error.message)")
    }
  }
}

/// Which process is meant, and for whom the answers are.
struct HostOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The process: its number, or its socket's path.", valueName: "pid|path"))
  var host: String?

  @Flag(help: "One JSON document per answer, for programs.")
  var json = false
}
