import Glibc
import NodeAdmin

/// A conversation with one host: asks one question at a time and shows what comes of it.
final class ConsoleSession {
  let link: ConsoleLink
  private(set) var node: String?
  /// Somebody has pressed Ctrl-C.
  private(set) var wasInterrupted = false
  private let isForProgram: Bool
  private let budget: Double?
  private let renderer: ConsoleRenderer
  /// Where Ctrl-C arrives.
  let wake: Int32
  private var last: Int64 = 0
  /// Relative paths are the user's, not the host's.
  private let folder = getcwd(nil, 0).map { path in
    defer { free(path) }
    return String(cString: path)
  }

  init(_ link: ConsoleLink, node: String?, isForProgram: Bool, budget: Double?, wake: Int32) {
    self.link = link
    self.node = node
    self.isForProgram = isForProgram
    self.budget = budget
    self.wake = wake
    renderer = ConsoleRenderer(palette: isForProgram ? .plain : .for(.standard))
  }

  enum Outcome: Equatable {
    case fine, quit
    /// What was typed is not a whole piece of Lua.
    case unfinished
    /// It is no Lua at all.
    case misspelt
    case failed(ExitStatus)
  }

  /// - Parameter mayGoOn: whether an unfinished line is only reported as such.
  func ask(_ line: String, mayGoOn: Bool = false) throws(CommandFailure) -> Outcome {
    try ask(["line": .string(line)], mayGoOn: mayGoOn)
  }

  private func ask(_ question: JSONValue, mayGoOn: Bool) throws(CommandFailure) -> Outcome {
    let answer = try self.answer(question) { event throws(CommandFailure) in
      try Output.standard.write(isForProgram ? event.line + "\n" : renderer.render(event: event))
    }
    return try show(answer, mayGoOn: mayGoOn)
  }

  /// The answer itself, for who shows it in another way.
  func answer(_ verb: ConsoleVerb, _ arguments: [String]) throws(CommandFailure) -> JSONValue {
    let words = JSONValue.array(arguments.map { .string($0) })
    return try answer(["verb": .string(verb.rawValue), "arguments": words]) { _ throws(CommandFailure) in }
  }

  private func answer(
    _ question: JSONValue, onEvent: (JSONValue) throws(CommandFailure) -> Void
  ) throws(CommandFailure) -> JSONValue {
    let id = try send(question)
    var isCancelled = false
    while true {
      switch try link.next(wake: wake) {
      case .closed: throw link.gone
      case .interrupted:
        if Wakeups.hasToEnd { throw CommandFailure(.terminated, "ended by SIGTERM") }
        // The second one leaves, whatever the host does.
        if isCancelled { throw CommandFailure(.interrupted, "interrupted") }
        isCancelled = true
        wasInterrupted = true
        _ = try send(["cancel": .integer(id)])
      case .answer(let answer):
        guard answer["id"]?.int == id else { continue }
        guard let event = answer["event"] else { return answer }
        try onEvent(event)
      }
    }
  }

  private func show(_ answer: JSONValue, mayGoOn: Bool) throws(CommandFailure) -> Outcome {
    let error = answer["error"]
    if mayGoOn, error?["kind"]?.text == "syntax", error?["message"]?.text?.hasSuffix("near <eof>") == true { return .unfinished }
    if isForProgram {
      guard case .object(var fields) = answer else { return .fine }
      fields["id"] = nil
      try Output.standard.write(JSONValue.object(fields).line + "\n")
    }
    if let error {
      if !isForProgram { Output.error.tell(renderer.render(error: error)) }
      if error["kind"]?.text == "syntax" { return .misspelt }
      return .failed(["usage", "unknown_node"].contains(error["kind"]?.text) ? .usage : .failed)
    }
    let result = answer["result"] ?? .null
    if result["kind"]?.text == "use" { node = result["node"]?.text }
    if !isForProgram { try Output.standard.write(renderer.render(result)) }
    return result["kind"]?.text == "quit" ? .quit : .fine
  }

  /// Whole words in the place of the last one of the line; none where the host takes too long to say.
  func completions(of line: String) -> [String] {
    guard let id = try? send(["complete": .string(line)]) else { return [] }
    while let event = try? link.next(wake: -1, patience: 2000), case .answer(let answer) = event {
      guard answer["id"]?.int == id else { continue }
      return answer["result"]?["words"]?.list.compactMap(\.text) ?? []
    }
    return []
  }

  private func send(_ question: JSONValue) throws(CommandFailure) -> Int64 {
    guard case .object(var fields) = question else { return 0 }
    last += 1
    fields["id"] = .integer(last)
    if let node { fields["node"] = .string(node) }
    if isForProgram { fields["form"] = "data" }
    if let budget { fields["budget"] = .number(budget) }
    if let folder { fields["folder"] = .string(folder) }
    let line = JSONValue.object(fields)
    guard line.line.utf8.count <= ConsoleProtocol.longestRequest else {
      throw CommandFailure(.usage, "a line of over \(ConsoleProtocol.longestRequest) bytes is too long for the console")
    }
    try link.send(line)
    return last
  }
}
