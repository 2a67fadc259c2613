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
  private(set) var pairs: [Pair] = []
  /// Messages that wait for a `conn:receive` and were decoded by another codec's Lua.
  private(set) var foreignMessages = 0

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
    var migration = Migration(from: from, to: to)
    do throws(ScriptError) {
      try migration.makeHandles(sides, known, step)
      // `save` has handles that could send; so has `restore`, where it is for connections that come late.
      try from.node.withoutSending { () throws(ScriptError) in try migration.move(extent, step) }
      return migration
    } catch {
      migration.discard(but: known)
      throw error
    }
  }

  private mutating func move(_ extent: Extent, _ step: (ReloadStep) throws(ScriptError) -> Void) throws(ScriptError) {
    try step(.save)
    let moved = try from.reload(extent.rawValue) { $0.list(pairs.map(\.old.handle)) }
    try step(.restore)
    _ = try to.reload("restore") { pack in
      pack.value(moved.first ?? .nil)
      pack.list(pairs.map(\.new.handle))
    }
    for index in pairs.indices {
      try step(.bind)
      try bind(index)
    }
  }

  /// Without the state that the code that is left has: the new code's is what it was.
  static func withoutState(
    from: ScriptHooks, to: ScriptHooks, _ sides: [ConnectionScript], known: [ConnectionID: ConnectionScript]
  ) throws(ScriptError) -> Migration {
    var migration = Migration(from: from, to: to)
    do throws(ScriptError) {
      try migration.makeHandles(sides, known) { _ in }
      // Where not even those can come, they are lost with the code.
      let messages = try? from.reload("save_messages") { $0.list(migration.pairs.map(\.old.handle)) }
      _ = try to.reload("undo") { pack in
        pack.list(migration.pairs.map(\.new.handle))
        pack.value(messages?.first ?? .nil)
      }
      for (index, pair) in migration.pairs.enumerated() {
        guard known[pair.new.connection.id] == nil else {
          try migration.bind(index, "keep")
          continue
        }
        pair.new.setPeer(pair.new.connection.peer)
        try migration.bind(index)
      }
      return migration
    } catch {
      migration.discard(but: known)
      throw error
    }
  }

  private init(from: ScriptHooks, to: ScriptHooks) {
    self.from = from
    self.to = to
  }

  private mutating func makeHandles(
    _ sides: [ConnectionScript], _ known: [ConnectionID: ConnectionScript], _ step: (ReloadStep) throws(ScriptError) -> Void
  ) throws(ScriptError) {
    for old in sides {
      try step(.handle)
      let new =
        if let side = known[old.connection.id] { side } else { try ConnectionScript(staged: old.connection, hooks: to) }
      pairs.append((old, new))
    }
  }

  /// The codec, made anew unless the side is to keep its own, and messages that wait.
  private mutating func bind(_ index: Int, _ how: String = "bind") throws(ScriptError) {
    let side = pairs[index].new
    to.runtime.staged = side
    defer { to.runtime.staged = nil }
    let count = try to.reload(how) { $0.integer(Int64(index + 1)) }
    foreignMessages += Int(count.first?.int ?? 0)
    try Self.check(side.framing)
  }

  /// What was made for nothing is not to stay in a VM that lives on.
  private func discard(but known: [ConnectionID: ConnectionScript]) {
    for pair in pairs where known[pair.new.connection.id] == nil { pair.new.discard() }
  }

  private static func check(_ framing: Framing?) throws(ScriptError) {
    if let problem = framing?.problem { throw ScriptError(code: .reload, message: "codec: \(problem)") }
  }

  /// Whether what the new code has made of the state could move on one day; where not, it could never be replaced.
  func check() throws(ScriptError) {
    _ = try to.reload("check") { $0.list(pairs.map(\.new.handle)) }
  }

  /// What the new code's author may want to know.
  var warnings: [String] {
    guard foreignMessages > 0 else { return [] }
    return [
      "messages that wait for conn:receive (\(foreignMessages)) were decoded by the code before, and the new code gets them as they are"
    ]
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

  /// Lets go of it, soon.
  func doneMoving() {
    runtime.scheduler.defer { [self] in
      guard !runtime.isStopped, !runtime.vm.isRunning else { return }
      runtime.forgetPassingChunks()
    }
  }

  /// Calls a function of `reload.lua`, which cannot wait.
  func reload(_ name: String, _ arguments: (inout LuaPack) -> Void) throws(ScriptError) -> [LuaValue] {
    do throws(LuaError) {
      return try callReload(name, arguments)
    } catch {
      let place = try? callReload("at") { _ in }
      throw ScriptError(error, code: .reload, hook: place?.first?.text ?? name, peer: place?.dropFirst().first?.text)
    }
  }

  private func callReload(_ name: String, _ arguments: (inout LuaPack) -> Void) throws(LuaError) -> [LuaValue] {
    let table = try runtime.chunk("reload")
    defer { runtime.vm.release(table) }
    guard let function = runtime.vm.field(table, name) else {
      throw LuaError(kind: .runtime, message: "reload.\(name) is missing")
    }
    defer { runtime.vm.release(function) }
    return try runtime.vm.callNow(function, arguments)
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
