import Logging
package import LuaHost

/// What is in a fresh VM: the natives as `host`, the shipped Lua that is always needed, `require`, `print`.
extension ScriptRuntime {
  /// The chunks a script may `require` as `moonpeer.<name>`.
  var shippedNames: [String] { (["codec", "json", "log", "node"] + extraModules).sorted() }

  func install() throws(ScriptError) {
    do throws(LuaError) {
      host = try vm.newTable()
      let groups: [(String, [(String, LuaNative)])] = [
        ("task", HostTask.natives), ("time", HostTime.natives), ("text", HostText.natives), ("log", HostLog.natives),
        ("module", HostModule.natives), ("conn", HostConn.natives), ("node", HostNode.natives), ("lib", []),
      ]
      for (name, natives) in groups { try addNatives(name, natives) }
      try vm.setUnyielding(host)
      try vm.setNative(host, "chunk", HostModule.chunk)
      let error = try chunk("error")
      try vm.setField(host, "error") { $0.ref(error) }
      // The other chunks are loaded when they are first asked for: a script pays for what it uses.
      let lazily = try vm.load(
        "local host = ... setmetatable(host.lib, { __index = function(lib, name) "
          + "local value = host.chunk(name) rawset(lib, name, value) return value end })", chunkName: "=moonpeer.lib")
      let host = host
      _ = try vm.callNow(lazily) { $0.ref(host) }
      vm.release(lazily)
      let globals = try vm.globals()
      let require = try chunk("modules")
      try vm.setField(globals, "require") { $0.ref(require) }
      try vm.setNative(globals, "print", HostLog.print)
      vm.release(globals)
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

  /// The value of a shipped chunk, run once.
  package func chunk(_ name: String) throws(LuaError) -> LuaRef {
    if let known = chunks[name] { return known }
    guard let source = extraChunks[name] ?? Self.shipped[name] else {
      throw LuaError(kind: .runtime, message: "there is no shipped chunk \"\(name)\"")
    }
    let function = try load(bytes: source, chunkName: "=moonpeer.\(name)")
    defer { vm.release(function) }
    let host = host
    let value = try vm.callNowRef(function) { $0.ref(host) }
    chunks[name] = value
    return value
  }

  /// A module a script requires by its public name; nil where there is none of that name.
  func shippedModule(_ name: String) throws(ScriptError) -> LuaRef? {
    if name == "node" {
      guard let hooks else {
        throw ScriptError(code: .load, message: "moonpeer.node is there once the node starts; require it in init or a hook")
      }
      return hooks.nodeHandle
    }
    guard shippedNames.contains(name) else { return nil }
    do {
      return try chunk(name)
    } catch {
      throw ScriptError(error, code: .load)
    }
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
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(LuaError) in try vm.load(buffer, chunkName: chunkName) }
    }
    return try result.get()
  }

  private static let shipped: [String: [UInt8]] = [
    "args": PackageResources.args_lua,
    "codec": PackageResources.codec_lua,
    "codec_base": PackageResources.codec_base_lua,
    "codec_composed": PackageResources.codec_composed_lua,
    "codec_format": PackageResources.codec_format_lua,
    "codec_native": PackageResources.codec_native_lua,
    "codec_records": PackageResources.codec_records_lua,
    "codec_union": PackageResources.codec_union_lua,
    "conn": PackageResources.conn_lua,
    "dispatch": PackageResources.dispatch_lua,
    "error": PackageResources.error_lua,
    "glue": PackageResources.glue_lua,
    "inbox": PackageResources.inbox_lua,
    "json": PackageResources.json_lua,
    "json_decode": PackageResources.json_decode_lua,
    "json_encode": PackageResources.json_encode_lua,
    "json_marks": PackageResources.json_marks_lua,
    "log": PackageResources.log_lua,
    "modules": PackageResources.modules_lua,
    "node": PackageResources.node_lua,
    "node_network": PackageResources.node_network_lua,
    "queue": PackageResources.queue_lua,
    "script": PackageResources.script_lua,
    "tasks": PackageResources.tasks_lua,
    "text": PackageResources.text_lua,
    "timers": PackageResources.timers_lua,
    "waiting": PackageResources.waiting_lua,
  ]
}

extension HostModule {
  /// chunk(name) → the value of a shipped chunk
  static let chunk: LuaNative = { state in
    let call = LuaCall(state)
    do throws(LuaError) {
      let value = try ScriptRuntime.of(call).chunk(call.string(1) ?? "")
      return call.returns { $0.ref(value) }
    } catch {
      return call.raise("load", error.message)
    }
  }
}

extension HostLog {
  /// print(...): the global one; a line of the log, so that it carries the node's name
  static let print: LuaNative = { state in
    let call = LuaCall(state)
    let parts = (0..<call.argumentCount).map { index -> String in
      let place = Int32(index) + 1
      return (try? call.plain(place).description) ?? call.typeName(place)
    }
    ScriptRuntime.of(call).logger.info("\(parts.joined(separator: "\t"))")
    return call.none()
  }
}
