import LuaHost
import NodeCore
import NodeEngine

/// What a script has of one connection: its Lua handle, its codec and the runs that end with it.
package final class ConnectionScript {
  static let tag: UInt32 = 0x434F_4E4E

  let connection: Connection
  unowned let hooks: ScriptHooks
  let runtime: ScriptRuntime
  /// The peer's address, as errors name it; kept because it must outlive the connection.
  package let address: String
  /// The one handle the script sees, for as long as the engine knows the connection.
  @exclusivity(unchecked) private(set) var handle: LuaRef
  private let object: LuaObject
  @exclusivity(unchecked) var framing: Framing?
  /// nil before there is a codec, and after the end.
  @exclusivity(unchecked) var binding: CodecBinding?
  /// Requests wait for replies: messages must be offered to them first.
  @exclusivity(unchecked) var hasRequests = false
  /// Decoded messages wait in Lua for whoever is to have them.
  @exclusivity(unchecked) var hasStash = false
  /// The parked run that handles messages; while there is one, the next message waits.
  @exclusivity(unchecked) var dispatch: ScriptTask?
  /// Messages that the binding's loop may take until it looks at the clock.
  @exclusivity(unchecked) var seriesLeft = MessageTurn.series
  /// Runs bound to the connection that are not over: each ends with it.
  @exclusivity(unchecked) var runs: [ScriptTask] = []
  @exclusivity(unchecked) var handshakeRun: ScriptTask?
  @exclusivity(unchecked) var disconnectRun: ScriptTask?
  /// `on_disconnect`, until it starts.
  @exclusivity(unchecked) var startDisconnect: (() -> Void)?
  @exclusivity(unchecked) private(set) var isForgotten = false
  /// The handle has power over the connection, and its hooks get what happens.
  @exclusivity(unchecked) private(set) var isAttached = false
  /// It was live before its generation's code was.
  @exclusivity(unchecked) private(set) var hasMoved = false
  /// Somebody looks at its messages.
  var trace: ConnectionTrace?

  /// For a connection that begins with this code.
  convenience init(connection: Connection, hooks: ScriptHooks) throws(ScriptError) {
    try self.init(staged: connection, hooks: hooks)
    attach()
    if let shared = hooks.sharedBinding {
      // The handle has it already (make_handle).
      bind(shared)
      return
    }
    let handle = handle
    do {
      _ = try hooks.runtime.vm.callNow(hooks.glue.prepare) { $0.ref(handle) }
    } catch {
      throw ScriptError(error)
    }
    hooks.sharedBinding = binding
  }

  /// For a connection that other code has: its handle, without power over it until ``attach()``.
  init(staged connection: Connection, hooks: ScriptHooks) throws(ScriptError) {
    self.connection = connection
    self.hooks = hooks
    runtime = hooks.runtime
    address = "\(connection.address)"
    let vm = hooks.runtime.vm
    do {
      let object = try vm.makeObject(tag: Self.tag)
      self.object = object
      handle = try vm.callNowRef(
        hooks.glue.makeHandle,
        { [address] pack in
          pack.ref(object.ref)
          pack.integer(Int64(connection.id.rawValue))
          pack.string(address)
          pack.string("\(connection.localAddress)")
          pack.string(connection.side.rawValue)
        })
    } catch {
      throw ScriptError(error)
    }
  }

  func bind(_ binding: CodecBinding) {
    self.binding = binding
    framing = binding.framing
    if isAttached { connection.framing = framing }
  }

  /// The connection is this generation's now.
  func attach() {
    object.setPointer(Unmanaged.passUnretained(self).toOpaque())
    connection.owner = self
    isAttached = true
    hooks.connectionCount += 1
  }

  /// What the handshake said, where the handle does not come with it.
  func setPeer(_ peer: String?) {
    guard let peer else { return }
    try? runtime.vm.setField(handle, "peer") { $0.string(peer) }
  }

  /// Another generation has the connection now: the handle here answers as for one that is closed.
  func detach() {
    endTrace("the code was replaced")
    object.setPointer(nil)
    isAttached = false
    // Whoever waited for a reply ends with the code.
    hasRequests = false
    hasStash = false
    hooks.connectionCount -= 1
  }

  /// ``attach()`` for one that was live before.
  func takeOver() {
    hasMoved = true
    attach()
    connection.hand(to: framing ?? .bytes, dispatching: hooks.declared.handsOutMessages)
  }

  /// The connection a native was called on; nil if it is over.
  @inline(__always)
  static func of(_ call: LuaCall) -> ConnectionScript? {
    guard let pointer = call.object(1, tag) else { return nil }
    return Unmanaged<ConnectionScript>.fromOpaque(pointer).takeUnretainedValue()
  }

  @inline(__always)
  static func of(_ connection: Connection) -> ConnectionScript? {
    connection.owner.map { unsafeDowncast($0, to: ConnectionScript.self) }
  }

  /// Starts a run that ends with the connection.
  @discardableResult
  func run(
    _ function: LuaRef, _ purpose: RunPurpose, more: (inout LuaPack) -> Void = { _ in },
    completion: @escaping (ScriptTask, RunOutcome) -> Void
  ) -> ScriptTask? {
    let nodeHandle = hooks.nodeHandle
    let handle = handle
    var isOver = false
    let task = runtime.run(
      function, purpose, connection: self,
      arguments: { pack in
        pack.ref(nodeHandle)
        pack.ref(handle)
        more(&pack)
      },
      completion: { [self] task, outcome in
        isOver = true
        runs.removeAll { $0 === task }
        completion(task, outcome)
      })
    guard !isOver else { return nil }
    runs.append(task)
    return task
  }

  /// The connection is over for the script: its runs end, and what it still holds of the handle answers `closed`.
  func forget() {
    guard !isForgotten else { return }
    isForgotten = true
    endTrace("the connection has ended")
    startDisconnect = nil
    endRuns(because: .closed(address), sticky: true)
    object.setPointer(nil)
    isAttached = false
    // A decoder that ends its own connection must not go on looking at its bytes.
    clearOwnView()
    release()
    connection.owner = nil
    hooks.connectionCount -= 1
    if hooks.isReplaced { hooks.generations?.retireIfDone(hooks) }
  }

  /// A side that will never have the connection, or not again, while its VM lives on.
  func discard() {
    guard !isAttached, !isForgotten else { return }
    isForgotten = true
    object.setPointer(nil)
    release()
  }

  private func release() {
    let vm = runtime.vm
    vm.release(object.ref)
    vm.release(handle)
    binding = nil
  }

  /// The VM's one view shows this connection's bytes.
  func noteView() { runtime.viewed = Unmanaged.passUnretained(self).toOpaque() }

  /// Its bytes go; another connection's, which a decoder is looking at, do not.
  func clearOwnView() {
    if runtime.viewed == Unmanaged.passUnretained(self).toOpaque() { runtime.vm.clearView() }
  }

  /// Starts `on_disconnect` if it has not started.
  func takeStartDisconnect() {
    guard let start = startDisconnect else { return }
    startDisconnect = nil
    start()
  }

  /// Raises `error` in every run that is parked, but for the one that handles the end itself.
  func endRuns(because error: ScriptError, sticky: Bool) {
    for task in runs where sticky || task !== disconnectRun {
      runtime.cancel(task, with: error, sticky: sticky)
    }
  }
}

extension ScriptError {
  static func closed(_ peer: String?) -> ScriptError {
    ScriptError(code: .script, kind: "closed", message: "the connection is closed", peer: peer)
  }
}
