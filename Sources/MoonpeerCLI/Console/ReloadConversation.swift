import NodeAdmin

/// What one `moonpeer reload` asks of its hosts and tells its user; after Ctrl-C, or a host's end, nothing more is asked.
final class ReloadConversation {
  private let isForProgram: Bool
  private let renderer = ConsoleRenderer()
  /// What ended it.
  private(set) var failure: CommandFailure?

  init(isForProgram: Bool) { self.isForProgram = isForProgram }

  var problem: String { failure?.message ?? "" }

  /// nil: there is no answer, and ``failure`` says why.
  func ask(_ session: ConsoleSession, _ verb: ConsoleVerb, _ arguments: [String]) -> JSONValue? {
    guard failure == nil else { return nil }
    do throws(CommandFailure) {
      let answer = try session.answer(verb, arguments)
      if session.wasInterrupted { failure = CommandFailure(.interrupted, "interrupted") }
      return answer
    } catch {
      failure = error
      return nil
    }
  }

  /// For people.
  func show(_ result: JSONValue?) {
    guard !isForProgram, let result else { return }
    Output.standard.tell(renderer.render(result))
  }

  func tell(_ text: String) {
    if !isForProgram { Output.standard.tell(Printable.text(text) + "\n") }
  }

  /// With the traceback, where there is one.
  func text(of error: JSONValue) -> String {
    [error["message"]?.text, error["traceback"]?.text].compactMap { $0 }.joined(separator: "\n")
  }
}
