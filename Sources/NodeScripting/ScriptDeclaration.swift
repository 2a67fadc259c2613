public import LuaHost
public import NodeCore

/// A mistake in a script, found without running its hooks.
public struct ScriptProblem: Sendable, Equatable, CustomStringConvertible {
  /// `file:line`, or the file where the line is not known.
  public var location: String
  public var message: String
  public var description: String { "\(location): \(message)" }
}

/// What a script declares: shown by `moonpeer check`.
public struct ScriptDeclaration: Sendable {
  public enum Codec: Sendable { case shared, perConnection, none }
  public struct Argument: Sendable, Equatable {
    public var name: String
    public var type: String
    public var defaultValue: LuaValue
    public var help: String?
  }

  public private(set) var name: String?
  public private(set) var version: Int64?
  /// The hooks it has, in the order of their life cycle.
  public private(set) var hooks: [String] = []
  public private(set) var codec = Codec.none
  public private(set) var arguments: [Argument] = []
  public private(set) var calls: [String] = []
  public private(set) var timers: [String] = []
  public private(set) var configuration: [(key: String, value: ConfigurationValue)] = []
  public private(set) var problems: [ScriptProblem] = []

  static let hookNames = [
    "init", "handshake", "on_connect", "process_message", "session", "on_disconnect", "on_shutdown",
  ]

  init(of table: LuaRef?, in runtime: ScriptRuntime, _ source: ScriptSource) throws(ScriptError) {
    let vm = runtime.vm
    do throws(LuaError) {
      let library = try runtime.chunk("script")
      let value = table ?? LuaRef.none
      func ask(_ name: String, _ argument: LuaRef?) throws(LuaError) -> [LuaValue] {
        guard let function = vm.field(library, name) else { return [] }
        defer { vm.release(function) }
        return try vm.callNow(function) { pack in
          if let argument, !argument.isNone { pack.ref(argument) } else { pack.nil() }
        }
      }
      note(try ask("validate", value), source)
      guard let table, problems.isEmpty else { return }
      for name in Self.hookNames {
        if let ref = vm.field(table, name) {
          hooks.append(name)
          vm.release(ref)
        }
      }
      let plain = try ask("outline", table).first?.table ?? LuaTable()
      name = plain["name"].text
      version = plain["version"].int
      codec = plain["codec"].text == "function" ? .perConnection : plain["codec"].isNil ? .none : .shared
      calls = plain["calls"].table?.array.compactMap(\.text) ?? []
      timers = plain["timers"].table?.array.compactMap(\.text) ?? []
      let declared = vm.field(table, "args")
      let described = try ask("describe", declared)
      if let declared { vm.release(declared) }
      for entry in described.first?.table?.array ?? [] {
        guard let entry = entry.table else { continue }
        arguments.append(
          Argument(
            name: entry["name"].text ?? "", type: entry["type"].text ?? "", defaultValue: entry["default"],
            help: entry["help"].text))
      }
      if described.count > 1 { note([described[1]], source) }
      try readConfiguration(vm, table, source)
    } catch {
      throw ScriptError(error, code: .load)
    }
  }

  private mutating func note(_ lists: [LuaValue], _ source: ScriptSource) {
    for problem in lists.first?.table?.array ?? [] {
      guard let parts = problem.table?.array, parts.count == 2, let key = parts[0].text else { continue }
      problems.append(ScriptProblem(location: source.location(ofKey: key), message: parts[1].text ?? ""))
    }
  }

  private mutating func readConfiguration(_ vm: LuaVM, _ table: LuaRef, _ source: ScriptSource) throws(LuaError) {
    guard let ref = vm.field(table, "config") else { return }
    defer { vm.release(ref) }
    var scratch = NodeConfiguration()
    for field in try vm.plain(ref).table?.fields ?? [] {
      guard let key = field.key.text else { continue }
      let value: ConfigurationValue
      switch field.value {
      case .string(let text): value = .string(text.lossyText)
      case .integer(let number): value = .integer(number)
      case .number(let number): value = .number(number)
      case .boolean(let flag): value = .boolean(flag)
      case .table(let list): value = .list(list.array.map(\.description))
      case .nil: continue
      }
      configuration.append((key, value))
      do {
        try scratch.set(key, to: value)
      } catch {
        problems.append(ScriptProblem(location: source.location(ofKey: key), message: "config: \(error.message)"))
      }
    }
    do { _ = try scratch.validated() } catch {
      let key = String(error.message.prefix { $0 != ":" })
      problems.append(ScriptProblem(location: source.location(ofKey: key), message: "config: \(error.message)"))
    }
  }
}

extension ScriptSource {
  var fileName: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Where a table's key is written: the first line with `key =` or, for a word of the language, with the word.
  func location(ofKey key: String) -> String {
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let words = line.split(separator: "--", maxSplits: 1, omittingEmptySubsequences: false)[0]
      guard let range = words.firstRange(of: key) else { continue }
      let before = words[..<range.lowerBound].last
      let after = words[range.upperBound...].drop { $0 == " " || $0 == "\"" || $0 == "]" }
      let isWhole = before.map { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." } ?? true
      if isWhole, after.hasPrefix("=") && !after.hasPrefix("==") || key == "return" { return "\(path):\(index + 1)" }
    }
    return path
  }
}

extension NodeConfiguration {
  /// As `node.config` shows it.
  var asLuaValue: LuaValue {
    var table = LuaTable()
    for key in Self.keys {
      switch key.value(of: self) {
      case .string(let text)?: table[key.name] = LuaValue(text)
      case .integer(let number)?: table[key.name] = .integer(number)
      case .number(let number)?: table[key.name] = .number(number)
      case .boolean(let flag)?: table[key.name] = .boolean(flag)
      case .list(let values)?: table[key.name] = .table(LuaTable(array: values.map { LuaValue($0) }))
      case nil: break
      }
    }
    return .table(table)
  }
}
