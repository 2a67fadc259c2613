public import LuaHost

/// What went wrong in or around a script: one message that says what, where and what to do.
///
/// `message` never repeats `location`; ``description`` puts the parts together.
public struct ScriptError: Error, Sendable, CustomStringConvertible {
  /// The stage that failed; extensible, so match with a `default`.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// The file could not be read.
    public static let file = Code(rawValue: "file")
    /// The script could not be loaded: syntax, an unknown key, a wrong type, a missing module, an error at its top level.
    public static let load = Code(rawValue: "load")
    /// A configuration key or a declared argument was refused.
    public static let configuration = Code(rawValue: "configuration")
    /// An error raised while a hook, task, timer or call ran.
    public static let script = Code(rawValue: "script")
    /// The script ran over `script_time` or `script_memory`.
    public static let budget = Code(rawValue: "budget")
    /// The engine refused: an address in use, a limit, a node that is shutting down.
    public static let engine = Code(rawValue: "engine")
  }

  /// The stage that failed, for programs.
  public var code: Code
  /// The error table's `kind` as Lua sees it (`closed`, `timeout`, `decode`, …), or `script`.
  public var kind: String
  /// For people: what happened and what to do.
  public var message: String
  /// `file:line`, where Lua knows it.
  public var location: String?
  /// The hook, timer, task or call that ran (`process_message`, `timer tick`), where one did.
  public var hook: String?
  /// The address of the peer whose connection it was about.
  public var peer: String?
  /// That connection's number at its node.
  public var connection: UInt64?
  /// Lua's stack at the raise.
  public var traceback: String?
  /// It is no fault of the script's code, but of what was typed into the console, or came of that.
  package var isForeign = false
  /// The error value as plain data, where it is a table a script made.
  public var value: LuaValue?

  public init(
    code: Code, kind: String = "script", message: String, location: String? = nil, hook: String? = nil,
    peer: String? = nil, traceback: String? = nil, value: LuaValue? = nil
  ) {
    self.code = code
    self.kind = kind
    self.message = message
    self.location = location
    self.hook = hook
    self.peer = peer
    self.traceback = traceback
    self.value = value
  }

  /// `file:line: in hook (peer …): message`, as far as the parts are known.
  public var description: String {
    var text = location.map { "\($0): " } ?? ""
    if let hook { text += "in \(hook)" + (peer.map { " (peer \($0))" } ?? "") + ": " }
    return text + message
  }
}

extension ScriptError {
  /// A Lua error with the place split off its message, as one of ours.
  init(_ error: LuaError, code: Code = .script, hook: String? = nil, peer: String? = nil) {
    let (place, message) = Self.split(error.message)
    let overBudget = error.kind == .time || error.kind == .memory
    let kind = error.value?.table?["kind"].text
    self.init(
      code: overBudget ? .budget : code, kind: overBudget ? "budget" : kind ?? "script", message: message,
      location: place ?? error.location, hook: hook, peer: peer, traceback: error.traceback, value: error.value)
  }

  /// The first of several mistakes found at once.
  init(_ problem: ScriptProblem, of count: Int) {
    let more = count > 1 ? " (and \(count - 1) more; moonpeer check lists all)" : ""
    self.init(code: .load, message: problem.message + more, location: problem.location)
  }

  /// `dir/echo.lua:12: text` → (`dir/echo.lua:12`, `text`); a message without a place stays whole.
  static func split(_ message: String) -> (location: String?, message: String) {
    let bytes = Array(message.utf8)
    var index = 0
    while let colon = bytes[index...].firstIndex(of: UInt8(ascii: ":")) {
      var end = colon + 1
      while end < bytes.count, bytes[end] >= 48, bytes[end] <= 57 { end += 1 }
      if end > colon + 1, end + 1 < bytes.count, bytes[end] == UInt8(ascii: ":"), bytes[end + 1] == UInt8(ascii: " ") {
        return (String(decoding: bytes[..<end], as: UTF8.self), String(decoding: bytes[(end + 2)...], as: UTF8.self))
      }
      if bytes[index..<colon].contains(UInt8(ascii: " ")) { break }
      index = colon + 1
      if index >= bytes.count { break }
    }
    return (nil, message)
  }
}
