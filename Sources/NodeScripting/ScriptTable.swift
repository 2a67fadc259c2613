import LuaHost

/// A script's table that is in order at first sight: hooks, a codec that is ready, calls, a name, a version.
///
/// All else is left to script.lua, which looks closely and has the words for what is wrong, and is not loaded for this.
struct ScriptTable {
  /// As `script.prepare` would make it.
  let prepared: LuaRef
  let declaration: ScriptDeclaration

  /// Every key a script may have, in the order of the documentation, as in script.lua.
  private static let keys: [(name: String, kind: LuaKind, isHook: Bool)] = [
    ("name", .string, false), ("version", .number, false), ("config", .nil, false), ("args", .nil, false),
    ("init", .function, true), ("codec", .table, false), ("handshake", .function, true), ("on_connect", .function, true),
    ("process_message", .function, true), ("session", .function, true), ("on_disconnect", .function, true),
    ("timers", .nil, false), ("calls", .table, false), ("save", .function, true), ("restore", .function, true),
    ("save_connection", .function, true), ("restore_connection", .function, true), ("on_shutdown", .function, true),
  ]
  private static let names = LuaNames(keys.map(\.name))

  /// nil: it has to be looked at closely.
  init?(_ value: LuaRef, in runtime: ScriptRuntime) {
    let vm = runtime.vm
    guard let kinds = vm.outline(value, Self.names) else { return nil }
    var hooks: [String] = []
    var present: Set<String> = []
    for (key, kind) in zip(Self.keys, kinds) where kind != .nil {
      guard kind == key.kind else { return nil }
      present.insert(key.name)
      if key.isHook { hooks.append(key.name) }
    }
    if present.contains("session"), present.contains("process_message") { return nil }

    func with<T>(_ name: String, _ body: (LuaRef) -> T?) -> T? {
      guard let field = vm.field(value, name) else { return nil }
      defer { vm.release(field) }
      return body(field)
    }
    var name: String?
    if present.contains("name") {
      guard let text = with("name", { try? vm.plain($0).text }) else { return nil }
      name = text
    }
    var version: Int64?
    if present.contains("version") {
      guard case .integer(let number)? = with("version", { try? vm.plain($0) }) else { return nil }
      version = number
    }
    if present.contains("codec") {
      guard let meta = vm.field(runtime.host, "codec") else { return nil }
      defer { vm.release(meta) }
      guard with("codec", { vm.hasMetatable($0, meta) }) == true else { return nil }
    }
    var calls: [String] = []
    if present.contains("calls") {
      guard let names = with("calls", { vm.functions($0) }) else { return nil }
      calls = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    guard let prepared = Self.prepare(value, present, vm) else { return nil }
    self.prepared = prepared
    declaration = ScriptDeclaration(
      name: name, version: version, hooks: hooks, codec: present.contains("codec") ? .shared : .none, calls: calls)
  }

  /// A copy, since a script may change its own table later; with what a close look would add.
  private static func prepare(_ value: LuaRef, _ present: Set<String>, _ vm: LuaVM) -> LuaRef? {
    guard let made = try? vm.copy(value) else { return nil }
    do throws(LuaError) {
      let empty = try vm.newTable()
      defer { vm.release(empty) }
      for key in ["args", "timers", "calls"] where !present.contains(key) { try vm.setField(made, key) { $0.ref(empty) } }
      return made
    } catch {
      vm.release(made)
      return nil
    }
  }
}
