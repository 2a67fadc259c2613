import NodeAdmin

/// A person at a terminal.
struct ConsoleDialogue {
  private let session: ConsoleSession
  private let editor: LineEditor

  init(_ session: ConsoleSession) {
    self.session = session
    // Asked on the thread that edits, which waits for the answer.
    let asked = Asked(session)
    editor = LineEditor { asked.session.completions(of: $0) }
  }

  private final class Asked: @unchecked Sendable {
    unowned let session: ConsoleSession
    init(_ session: ConsoleSession) { self.session = session }
  }

  func run() throws(CommandFailure) {
    let names = session.link.nodes
    let nodes = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    try Output.standard.write("process \(session.link.process): \(Printable.text(nodes)); help lists the verbs\n")
    var pending = ""
    while true {
      let prompt = pending.isEmpty ? "\(Printable.text(session.node ?? "moonpeer"))> " : "  ..> "
      switch editor.read(prompt, wake: session.wake, host: session.link.descriptor) {
      case .end: return
      case .hostGone: throw session.link.gone
      case .interrupted:
        if Wakeups.hasToEnd { throw CommandFailure(.terminated, "ended by SIGTERM") }
        pending = ""
      case .line(let line):
        editor.remember(line)
        let text = pending.isEmpty ? line : pending + "\n" + line
        // An empty line ends what cannot be finished.
        switch try session.ask(text, mayGoOn: !line.isEmpty) {
        case .quit: return
        case .unfinished: pending = text
        case .fine, .failed, .misspelt: pending = ""
        }
      }
    }
  }
}
