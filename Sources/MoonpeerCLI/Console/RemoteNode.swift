import NodeAdmin
import NodeScripting

/// A node of another process, as a rolling reload comes to it.
final class RemoteNode: RollingNode {
  enum State: String {
    /// Not asked.
    case untouched
    case reloaded
    /// It keeps the code it had.
    case refused
    case rolledBack = "rolled_back"
    /// It has stopped, by itself or with its host.
    case stopped
  }

  let name: String
  let session: ConsoleSession
  private let script: String?
  private let conversation: ReloadConversation
  private(set) var state = State.untouched
  /// Where the script should be there is none that can be read.
  private(set) var lacksFile = false
  /// What it said to the reload, where it went well.
  private(set) var report: JSONValue?
  private var rollbacksBefore: UInt64?

  init(_ name: String, _ session: ConsoleSession, script: String?, _ conversation: ReloadConversation) {
    self.name = name
    self.session = session
    self.script = script
    self.conversation = conversation
  }

  func rollbacks() async -> UInt64 {
    let stats = conversation.ask(session, .stats, [name])?["result"]?["nodes"]?.list.first
    guard let count = stats?["heuristics"]?["rolled_back"]?.int else { return rollbacksBefore ?? 0 }
    let rollbacks = UInt64(count)
    if state == .reloaded, rollbacks != rollbacksBefore { state = .rolledBack }
    if rollbacksBefore == nil { rollbacksBefore = rollbacks }
    return rollbacks
  }

  func renew() async -> RollingStep {
    guard let answer = conversation.ask(session, .reload, [name] + (script.map { [$0] } ?? [])) else {
      // Before or after it was asked: its host may have gone with it.
      return .failed(conversation.problem)
    }
    if let error = answer["error"] {
      let isStopped = error["kind"]?.text == "shutdown"
      state = isStopped ? .stopped : .refused
      lacksFile = error["kind"]?.text == "file"
      return isStopped ? .stopped : .failed(conversation.text(of: error))
    }
    state = .reloaded
    report = answer["result"]
    conversation.show(answer["result"])
    return .done
  }

  func probation() async -> ProbationOutcome {
    guard state == .reloaded else { return .stopped }
    conversation.tell("waiting for the probation of \(name)")
    guard let answer = conversation.ask(session, .probation, [name]) else { return .stopped }
    switch answer["error"]?["kind"]?.text {
    case nil:
      conversation.show(answer["result"])
      return .passed
    case "rolled_back"?:
      state = .rolledBack
      let message = answer["error"]?["message"]?.text ?? ""
      return .rolledBack(String(message.trimmingPrefix("\(name) was rolled back: ")))
    case "kept"?:
      let message = answer["error"]?["message"]?.text ?? ""
      return .kept(String(message.trimmingPrefix("\(name) failed and stays as it is: ")))
    default:
      // Ctrl-C ends the waiting, nothing else.
      if answer["error"]?["kind"]?.text == "shutdown" { state = .stopped }
      return .stopped
    }
  }

  /// What it runs now; nil: it does not say.
  func summary() -> JSONValue? {
    guard let answer = try? session.answer(.nodes, []) else { return nil }
    return answer["result"]?["nodes"]?.list.first { $0["name"]?.text == name }
  }
}
