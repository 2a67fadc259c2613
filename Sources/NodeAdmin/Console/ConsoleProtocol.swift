/// What goes over the console's socket: one JSON object per line, both ways. docs/console.md describes it.
public enum ConsoleProtocol {
  /// What both ends must agree on; the greeting has it as `console`.
  public static let version: Int64 = 1
  /// The longest line a client may send, in bytes.
  public static let longestRequest = 256 << 10
  /// The longest line a client has to expect.
  public static let longestAnswer = 16 << 20
  /// Clients at once.
  public static let mostClients = 8
  /// Requests of one client that are not answered yet.
  public static let mostRequests = 16
  /// Bytes that may wait for a client to read them.
  public static let mostWaiting = 4 << 20
  /// Messages of a trace that are shown, per second.
  public static let traceRate = 200
}

/// One question of a client.
struct ConsoleRequest: Sendable {
  enum Question: Sendable {
    case line(ConsoleLine)
    case complete(String)
    case cancel(Int64)
  }

  var id: Int64
  var question: Question
  /// The node that is meant where the line names none.
  var node: String?
  /// Values as data instead of text.
  var isForProgram: Bool
  /// The longest that typed code may wait; nil: the default; 0: for ever.
  var budget: Double?
  /// Where the client stands: what its relative paths begin at; nil: where the host does.
  var folder: String?

  /// - Throws: what is wrong with the line.
  init(_ line: some Collection<UInt8>) throws(ConsoleProblem) {
    guard let value = JSONValue(line: line), case .object = value else {
      throw ConsoleProblem("usage", "a line has to be one JSON object")
    }
    guard let id = value["id"]?.int else { throw ConsoleProblem("usage", "a request needs a number of its own: id") }
    self.id = id
    try Self.check(value, id)
    node = value["node"]?.text
    isForProgram = value["form"]?.text == "data"
    budget = value["budget"]?.double
    folder = value["folder"]?.text
    if let text = value["line"]?.text {
      question = .line(ConsoleLine(text))
    } else if let name = value["verb"]?.text {
      guard let verb = ConsoleVerb(rawValue: name) else {
        throw ConsoleProblem("usage", "there is no verb \"\(name)\"", id: id)
      }
      question = .line(.verb(verb, value["arguments"]?.list.compactMap(\.text) ?? []))
    } else if let code = value["lua"]?.text {
      question = .line(.lua(code))
    } else if let text = value["complete"]?.text {
      question = .complete(text)
    } else if let other = value["cancel"]?.int {
      question = .cancel(other)
    } else {
      throw ConsoleProblem("usage", "a request is one of line, verb, lua, complete and cancel", id: id)
    }
  }
}

extension ConsoleRequest {
  /// Refuses what would be taken for something else: a field of a wrong kind must not count as absent.
  private static func check(_ value: JSONValue, _ id: Int64) throws(ConsoleProblem) {
    for name in ["line", "verb", "lua", "complete", "node", "folder"] where value[name].map({ $0.text == nil }) ?? false {
      throw ConsoleProblem("usage", "\(name): a text is expected", id: id)
    }
    if let form = value["form"], !["data", "text"].contains(form.text) {
      throw ConsoleProblem("usage", "form: \"text\" or \"data\" is expected", id: id)
    }
    if let budget = value["budget"], !(budget.double.map { $0 >= 0 } ?? false) {
      throw ConsoleProblem("usage", "budget: seconds are expected, 0 or more", id: id)
    }
    guard let arguments = value["arguments"] else { return }
    guard case .array(let words) = arguments, words.allSatisfy({ $0.text != nil }) else {
      throw ConsoleProblem("usage", "arguments: a list of texts is expected", id: id)
    }
  }
}

/// Why a question has no answer.
struct ConsoleProblem: Error {
  /// For programs: `usage`, `unknown_node`, `unknown_connection`, or a script error's kind.
  var kind: String
  var message: String
  var traceback: String?
  var id: Int64?

  init(_ kind: String, _ message: String, traceback: String? = nil, id: Int64? = nil) {
    self.kind = kind
    self.message = message
    self.traceback = traceback
    self.id = id
  }

  var json: JSONValue {
    ["kind": .string(kind), "message": .string(message), "traceback": JSONValue(traceback)]
  }
}
