import LuaHost
import NodeCore
import NodeEngine

/// State and connections on their way from one generation to another. Nothing outside the new VM changes before
/// ``commit()``, so that it can simply be dropped.
struct Migration {
  /// A connection's side in the old code and in the new.
  typealias Pair = (old: ConnectionScript, new: ConnectionScript)

  let from: ScriptHooks
  let to: ScriptHooks
  let pairs: [Pair]

  /// What comes out of the old code.
  enum Extent: String {
    case everything = "save"
    /// The node's state stays: connections that come late.
    case connections = "save_connections"
  }

  /// Makes the handles in the new code, and moves the state and the codecs.
  ///
  /// - Parameter known: sides that the new code has from before, by connection.
  /// - Throws: what cannot move, with its path; what the script's own hooks for it raised; a budget.
  static func prepare(
    from: ScriptHooks, to: ScriptHooks, _ sides: [ConnectionScript], known: [ConnectionID: ConnectionScript] = [:],
    _ extent: Extent = .everything, _ step: (ReloadStep) throws(ScriptError) -> Void
  ) throws(ScriptError) -> Migration {
    let pairs = try handles(to, sides, known, step)
    try step(.save)
    let moved = try from.reload(extent.rawValue) { pack in pack.list(pairs.map(\.old.handle)) }
    try step(.restore)
    _ = try to.reload("restore") { pack in
      pack.value(moved.first ?? .nil)
      pack.list(pairs.map(\.new.handle))
    }
    for (index, pair) in pairs.enumerated() {
      try step(.bind)
      to.runtime.staged = pair.new
      defer { to.runtime.staged = nil }
      _ = try to.reload("bind") { $0.integer(Int64(index + 1)) }
      try check(pair.new.framing)
    }
    return Migration(from: from, to: to, pairs: pairs)
  }

  /// Without anything of what the code that is left has done: the new code's state is what it was.
  static func withoutState(
    from: ScriptHooks, to: ScriptHooks, _ sides: [ConnectionScript], known: [ConnectionID: ConnectionScript]
  ) throws(ScriptError) -> Migration {
    _ = try to.reload("undo") { _ in }
    let pairs = try handles(to, sides, known) { _ in }
    for pair in pairs where known[pair.new.connection.id] == nil {
      to.runtime.staged = pair.new
      defer { to.runtime.staged = nil }
      let handle = pair.new.handle
      let peer = pair.new.connection.peer
      do throws(LuaError) {
        _ = try to.runtime.vm.callNow(to.glue.adopt) { pack in
          pack.ref(handle)
          if let peer { pack.string(peer) }
        }
      } catch {
        throw ScriptError(error, hook: "codec")
      }
      try check(pair.new.framing)
    }
    return Migration(from: from, to: to, pairs: pairs)
  }

  private static func handles(
    _ to: ScriptHooks, _ sides: [ConnectionScript], _ known: [ConnectionID: ConnectionScript],
    _ step: (ReloadStep) throws(ScriptError) -> Void
  ) throws(ScriptError) -> [Pair] {
    var pairs: [Pair] = []
    for old in sides {
      try step(.handle)
      let new =
        if let side = known[old.connection.id] { side } else { try ConnectionScript(staged: old.connection, hooks: to) }
      pairs.append((old, new))
    }
    return pairs
  }

  private static func check(_ framing: Framing?) throws(ScriptError) {
    if let problem = framing?.problem { throw ScriptError(code: .reload, message: "codec: \(problem)") }
  }

  /// The new code has the connections.
  func commit() {
    for pair in pairs {
      let trace = pair.old.takeTrace()
      pair.old.detach()
      pair.new.takeOver()
      if let trace { pair.new.goOn(with: trace) }
    }
  }

  /// What has arrived meanwhile goes to the new code.
  func resume() {
    for pair in pairs where pair.new.isAttached { pair.new.connection.resumeDispatch() }
  }
}

extension ScriptHooks {
  /// Loads the shipped Lua that a migration uses.
  func prepareToMove() throws(ScriptError) {
    _ = glue
    do { runtime.vm.release(try runtime.chunk("reload")) } catch { throw ScriptError(error, code: .reload) }
  }

  /// Calls a function of `reload.lua`, which cannot wait.
  func reload(_ name: String, _ arguments: (inout LuaPack) -> Void) throws(ScriptError) -> [LuaValue] {
    do throws(LuaError) {
      let table = try runtime.chunk("reload")
      defer { runtime.vm.release(table) }
      guard let function = runtime.vm.field(table, name) else {
        throw LuaError(kind: .runtime, message: "reload.\(name) is missing")
      }
      defer { runtime.vm.release(function) }
      return try runtime.vm.callNow(function, arguments)
    } catch {
      throw ScriptError(error, code: .reload, hook: name == "bind" ? "codec" : name)
    }
  }
}

extension LuaPack {
  fileprivate mutating func list(_ refs: [LuaRef]) {
    beginTable()
    for ref in refs {
      element()
      self.ref(ref)
    }
    endTable()
  }
}
