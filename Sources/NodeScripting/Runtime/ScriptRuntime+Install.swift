import Logging
package import LuaHost

/// What is in a fresh VM: the natives as `host`, the shipped Lua that is always needed, `require`, `print`.
extension ScriptRuntime {
  /// The chunks a script may `require` as `moonpeer.<name>`.
  var shippedNames: [String] { (Self.modules + extraModules).sorted() }
  func isShipped(_ name: String) -> Bool { Self.modules.contains(name) || extraModules.contains(name) }
  private static let modules = ["codec", "json", "log", "node"]

  func install() throws(ScriptError) {
    do throws(LuaError) {
      host = try vm.newTable()
      try addNatives("lib", [])
      try vm.setUnyielding(host)
      try vm.setNextRun(host)
      try vm.setNative(host, "chunk", HostModule.chunk)
      try vm.setNative(host, "native", HostModule.native)
      library = try load(shipped: "lib")
      let globals = try vm.globals()
      let require = vm.field(host, "require") ?? .none
      try vm.setField(globals, "require") { $0.ref(require) }
      try vm.setNative(globals, "print", HostLog.print)
      for ref in [require, globals] { vm.release(ref) }
    } catch {
      throw ScriptError(error, code: .load)
    }
  }

  /// Adds `host.<name>` with those functions; for the natives of another module.
  package func addNatives(_ name: String, _ natives: [(String, LuaNative)]) throws(LuaError) {
    let table = try vm.newTable()
    for (function, native) in natives { try vm.setNative(table, function, native) }
    try vm.setField(host, name) { $0.ref(table) }
    vm.release(table)
  }

  /// Adds Lua text of another module as `host.lib.<name>`, run when first asked for, with `host` as its argument.
  package func addChunk(_ name: String, source: [UInt8]) {
    extraChunks[name] = source
  }

  /// Lets scripts `require "moonpeer.<name>"` where there is a chunk of that name.
  package func publish(_ name: String) {
    extraModules.append(name)
  }

  /// The value of a shipped chunk that is a table, as `host.lib.<name>` has it; the caller releases it.
  package func chunk(_ name: String) throws(LuaError) -> LuaRef {
    try vm.callNowRef(library) { $0.string(name) }
  }

  /// Runs a shipped chunk, which gives its value anew.
  fileprivate func load(shipped name: String) throws(LuaError) -> LuaRef {
    guard let function = try ShippedLua.load(name, source: extraChunks[name], in: vm) else {
      throw LuaError(kind: .runtime, message: "there is no shipped chunk \"\(name)\"")
    }
    defer { vm.release(function) }
    if ShippedLua.passing.contains(name) { hasPassingChunks = true }
    let host = host
    return try vm.callNowRef(function) { $0.ref(host) }
  }

  package func load(_ source: ScriptSource) throws(ScriptError) -> LuaRef {
    do {
      return try load(bytes: source.text, chunkName: "@" + source.path)
    } catch {
      var error = ScriptError(error, code: .load)
      // About the whole file, not a line of it.
      if error.location == nil, error.message.hasPrefix(source.path + ": ") {
        error.location = source.path
        error.message.removeFirst(source.path.count + 2)
      }
      throw error
    }
  }

  private func load(bytes: [UInt8], chunkName: String) throws(LuaError) -> LuaRef {
    // A first line "#!…" makes a script executable; Lua itself skips it for files only.
    var bytes = bytes
    // A byte order mark is skipped, as Lua does for files.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw LuaError(kind: .syntax, message: "\(chunkName.dropFirst()):1: the file is UTF-16 text; save it as UTF-8")
    }
    if bytes.starts(with: Array("#!".utf8)) {
      bytes.replaceSubrange(0..<2, with: Array("--".utf8))
    }
    return try CompiledScripts.load(bytes, chunkName: chunkName, in: vm)
  }
}

extension HostModule {
  /// chunk(name) → the value of a shipped chunk, which runs
  static let chunk: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    do throws(LuaError) {
      let value = try runtime.load(shipped: call.string(1) ?? "")
      return call.returns { $0.taken(value) }
    } catch {
      return call.raise("load", error.message)
    }
  }

  /// native(table, group, name): puts that native there, if there is one
  static let native: LuaNative = { state in
    let call = LuaCall(state)
    guard let group = call.string(2), let name = call.string(3),
      let native = groups[group]?.first(where: { $0.0 == name })?.1
    else { return call.none() }
    let vm = ScriptRuntime.of(call).vm
    guard let table = call.ref(1) else { return call.raise("load", "there is no memory for host.\(group).\(name)") }
    defer { vm.release(table) }
    do throws(LuaError) {
      try vm.setNative(table, name, native)
      return call.none()
    } catch {
      return call.raise("load", error.message)
    }
  }

  private static let groups: [String: [(String, LuaNative)]] = [
    "task": HostTask.natives, "time": HostTime.natives, "text": HostText.natives, "log": HostLog.natives,
    "module": HostModule.natives, "conn": HostConn.natives, "node": HostNode.natives,
    "console": HostConsole.natives,
  ]
}

extension HostLog {
  /// print(...): the global one; a line of the log, so that it carries the node's name
  static let print: LuaNative = { state in
    let call = LuaCall(state)
    let parts = (0..<call.argumentCount).map { index -> String in
      let place = Int32(index) + 1
      return (try? call.plain(place).description) ?? call.typeName(place)
    }
    ScriptRuntime.of(call).logger.info("\(parts.joined(separator: " "))")
    return call.none()
  }
}
