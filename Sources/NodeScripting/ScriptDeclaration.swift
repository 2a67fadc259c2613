public import LuaHost
public import NodeCore

/// A mistake in a script, found without running its hooks.
public struct ScriptProblem: Sendable, Equatable, CustomStringConvertible {
  /// `file:line`, or the file where the line is not known.
  public var location: String
  /// What is wrong, with the key it is about, and what to do.
  public var message: String
  public var description: String { "\(location): \(message)" }
}

/// What a script declares: shown by `moonpeer check`.
public struct ScriptDeclaration: Sendable {
  /// `shared`: one codec for all connections; `perConnection`: a function chooses; `none`: messages are chunks of bytes.
  public enum Codec: Sendable { case shared, perConnection, none }
  /// One declared argument.
  public struct Argument: Sendable, Equatable {
    /// As `--set` and `node.args` spell it.
    public var name: String
    /// `string`, `integer`, `number`, `boolean`, `duration`, `size` or `table`.
    public var type: String
    /// What it is when it is not set; durations in seconds, sizes in bytes; nil: nothing.
    public var defaultValue: LuaValue
    /// For people; nil where the script says nothing.
    public var help: String?
  }

  /// Its `name`, where it gives one.
  public private(set) var name: String?
  /// Its `version`, where it gives one.
  public private(set) var version: Int64?
  /// The hooks it has, in the order of their life cycle.
  public private(set) var hooks: [String] = []
  /// How its messages stand in the bytes.
  public private(set) var codec = Codec.none
  /// Its declared arguments, by name.
  public private(set) var arguments: [Argument] = []
  /// The names of its `calls`, sorted.
  public private(set) var calls: [String] = []
  /// The names of its `timers`, sorted.
  public private(set) var timers: [String] = []
  /// What its `config` sets, as written.
  public private(set) var configuration: [(key: String, value: ConfigurationValue)] = []
  /// Every mistake found; empty: it can run.
  public private(set) var problems: [ScriptProblem] = []

  /// What it would have its node called; nil: it does not say.
  var nodeName: String? {
    guard case .string(let name)? = configuration.last(where: { $0.key == "name" })?.value else { return name }
    return name
  }

  init(name: String?, version: Int64?, hooks: [String], codec: Codec, calls: [String]) {
    self.name = name
    self.version = version
    self.hooks = hooks
    self.codec = codec
    self.calls = calls
  }

  /// - Parameter examined: what `loading.examine` made of the script's table.
  init(_ examined: LuaRef, in runtime: ScriptRuntime, _ source: ScriptSource) throws(ScriptError) {
    func plain(_ name: String) throws(LuaError) -> LuaTable {
      guard let ref = runtime.vm.field(examined, name) else { return LuaTable() }
      defer { runtime.vm.release(ref) }
      return try runtime.vm.plain(ref).table ?? LuaTable()
    }
    do throws(LuaError) {
      var isCodecWrong = false
      for problem in try plain("problems").array {
        guard let fields = problem.table, let message = fields["message"].text else { continue }
        let key = fields["key"].text ?? ""
        if key == "codec" { isCodecWrong = true }
        problems.append(
          ScriptProblem(location: source.location(ofKey: key), message: key.isEmpty ? message : "\(key): \(message)"))
      }
      let outline = try plain("outline")
      name = outline["name"].text
      version = outline["version"].int
      hooks = Self.texts(outline["hooks"])
      codec =
        outline["codec"].isNil || isCodecWrong ? .none : outline["codec"].text == "function" ? .perConnection : .shared
      calls = Self.texts(outline["calls"])
      timers = Self.texts(outline["timers"])
      for entry in outline["args"].table?.array ?? [] {
        guard let entry = entry.table else { continue }
        arguments.append(
          Argument(
            name: entry["name"].text ?? "", type: entry["type"].text ?? "", defaultValue: entry["default"],
            help: entry["help"].text))
      }
      readConfiguration(outline["config"].table ?? LuaTable(), source, isTrusted: runtime.isTrusted)
    } catch {
      throw ScriptError(error, code: .load)
    }
  }

  private static func texts(_ value: LuaValue) -> [String] { value.table?.array.compactMap(\.text) ?? [] }

  private mutating func readConfiguration(_ table: LuaTable, _ source: ScriptSource, isTrusted: Bool) {
    if table.fields.isEmpty { return }
    var scratch = NodeConfiguration()
    for field in table.fields {
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
        if !isTrusted, let refusal = Self.refusal(ofWall: key, in: scratch) {
          problems.append(ScriptProblem(location: source.location(ofKey: key), message: "config: \(refusal)"))
        }
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

extension ScriptDeclaration {
  /// A script may ask for other limits than it was given, which is logged, but not for none.
  private static func refusal(ofWall name: String, in configuration: NodeConfiguration) -> String? {
    guard let key = NodeConfiguration.keys.first(where: { $0.name == name }), key.isWall, key.zero == .none,
      [.integer(0), .number(0)].contains(key.value(of: configuration))
    else { return nil }
    return "\(name): a script cannot go without this limit (0) by itself: say how much it needs (\(key.defaultText) by "
      + "default), or let whoever runs it decide, with \(key.option) 0 or --trusted"
  }
}

extension ScriptSource {
  var fileName: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Where a key such as `timers.tick.every` is written: for each of its parts the first line from there on with
  /// `part =`; the file alone where none is found.
  func location(ofKey key: String) -> String {
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    var found: Int?
    for part in key.split(separator: ".") {
      let start = found ?? 0
      guard let next = lines[start...].firstIndex(where: { Self.assigns(String(part), in: $0) }) else { break }
      found = next
    }
    return found.map { "\(path):\($0 + 1)" } ?? path
  }

  private static func assigns(_ name: String, in line: Substring) -> Bool {
    let code = line.split(separator: "--", maxSplits: 1, omittingEmptySubsequences: false)[0]
    guard let range = code.firstRange(of: name) else { return false }
    let before = code[..<range.lowerBound].last
    let after = code[range.upperBound...].drop { $0 == " " || $0 == "\"" || $0 == "]" }
    let isWhole = before.map { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." } ?? true
    // `local codec = require …` is not the key `codec`.
    let isLocal = code[..<range.lowerBound].split(separator: " ").last == "local"
    return isWhole && !isLocal && after.hasPrefix("=") && !after.hasPrefix("==")
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
