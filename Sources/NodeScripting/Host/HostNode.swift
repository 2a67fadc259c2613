package import LuaHost
package import NodeCore
import NodeEngine

/// `host.node`: the node's own operations. Without a node (a check, a module's top level before the start) each says so.
enum HostNode {
  static let natives: [(String, LuaNative)] =
    dialling + metrics + calling + [
      ("listen", listen), ("stop_listening", stopListening), ("address", address), ("disconnect", disconnect),
      ("connections", connections), ("connection", connection), ("counts", counts), ("broadcast", broadcast),
      ("stats", stats), ("heuristics", heuristics), ("config", config), ("shut_down", shutDown),
    ]

  /// The hooks whose node is meant, or the verdict that says there is none.
  static func hooks(_ call: LuaCall) -> ScriptHooks? {
    ScriptRuntime.of(call).hooks.flatMap { $0.isStaged ? nil : $0 }
  }

  /// As ``hooks(_:)``, for what only looks: also in code that is to take the node over.
  static func looking(_ call: LuaCall) -> ScriptHooks? {
    ScriptRuntime.of(call).hooks
  }

  static func noNode(_ call: LuaCall) -> Int32 {
    if ScriptRuntime.of(call).hooks != nil { return HostConn.notYet(call) }
    return call.raise("usage", "there is no node yet: a script's top level and a check run without one; do this in init")
  }

  /// An address argument, or the error text that says what is wrong with it.
  static func address(_ call: LuaCall, _ index: Int32) -> Result<PeerAddress, ScriptError> {
    guard let text = call.string(index) else {
      return .failure(
        ScriptError(
          code: .script, kind: "address",
          message: "an address such as \"127.0.0.1:4000\" is expected, got \(call.typeName(index))"))
    }
    do {
      return .success(try PeerAddress(parsing: text))
    } catch {
      return .failure(ScriptError(code: .script, kind: "address", message: "\(error)"))
    }
  }

  /// listen(address?) → the bound address, or nil, error; parks
  private static let listen: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    var wish = hooks.node.configuration.listen.first ?? .ip(.loopback, port: 0)
    if !call.isNil(1) {
      switch address(call, 1) {
      case .success(let parsed): wish = parsed
      case .failure(let error): return call.raise("usage", "node:listen: \(error.message)")
      }
    }
    if let problem = hooks.script.unixSockets.problem(with: wish) { return call.returns { $0.failure(problem) } }
    return hooks.runtime.park(call, "node:listen") { wait in
      hooks.node.listen(on: wish) { result in
        wait.resume { pack in
          switch result {
          case .success(let bound): pack.string("\(bound)")
          case .failure(let error): pack.failure(error)
          }
        }
      }
      return {}
    }
  }

  private static let stopListening: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    return hooks.runtime.park(call, "node:stop_listening") { wait in
      hooks.node.stopListening { wait.resume { $0.boolean(true) } }
      return {}
    }
  }

  /// address() → where the node listens, or nil
  private static let address: LuaNative = { state in
    let call = LuaCall(state)
    guard let text = looking(call)?.node.address.map({ "\($0)" }) else { return call.returns { $0.nil() } }
    return call.returns { $0.string(text) }
  }

  /// disconnect(conn) → true if it was open; parks until on_disconnect is over
  private static let disconnect: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    guard let side = ConnectionScript.of(call) else { return call.returns { $0.boolean(false) } }
    // A run that ends with the connection cannot wait for that end: it asks, and goes on.
    if let current = hooks.runtime.current, current.connection === side {
      let wasOpen = side.connection.isOpen
      side.connection.disconnect(DisconnectReason(.local))
      return call.returns { $0.boolean(wasOpen) }
    }
    return hooks.runtime.park(call, "node:disconnect") { wait in
      hooks.node.disconnect(side.connection, reason: DisconnectReason(.local)) { wasOpen in
        wait.resume { $0.boolean(wasOpen) }
      }
      return {}
    }
  }

  /// connections() → the live ones in the order they came up; a stream of `node:open` belongs to who opened it
  private static let connections: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    let handles = hooks.node.connections.filter { !$0.isStream }.compactMap { hooks.side(of: $0)?.handle }
    return call.returns { pack in
      pack.beginTable()
      for handle in handles {
        pack.element()
        pack.ref(handle)
      }
      pack.endTable()
    }
  }

  /// connection(address, ending?) → its handle, or nil; with `ending` also one that is being closed
  private static let connection: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    let peer: PeerAddress
    switch address(call, 1) {
    case .success(let parsed): peer = parsed
    case .failure(let error): return call.raise("usage", error.message)
    }
    guard let found = hooks.node.connection(at: peer), found.phaseIsLive || call.boolean(2) == true,
      let handle = hooks.side(of: found)?.handle
    else { return call.returns { $0.nil() } }
    return call.returns { $0.ref(handle) }
  }

  private static let counts: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = looking(call) else { return noNode(call) }
    let counts = hooks.node.counts
    return call.returns {
      $0.value(["connected": .integer(Int64(counts.connected)), "connecting": .integer(Int64(counts.connecting))])
    }
  }

  /// broadcast(bytes, except?) → how many connections it was queued for
  private static let broadcast: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    guard let bytes = call.bytes(1) else {
      return call.raise("usage", "node:broadcast: the message must be a string of bytes, got \(call.typeName(1))")
    }
    guard !hooks.node.refusesSending else { return HostConn.notYet(call) }
    let except = call.object(2, ConnectionScript.tag)
    var count: Int64 = 0
    for connection in hooks.node.registered where connection.phaseIsLive && !connection.isStream {
      guard let side = hooks.side(of: connection), Unmanaged.passUnretained(side).toOpaque() != except else { continue }
      switch connection.trySend(bytes) {
      case .queued: count += 1
      // One codec for all of them: what one refuses, all do.
      case .refused(let why): return call.raise("too_large", "node:broadcast: \(why)")
      case .wait, .full, .closed: break
      }
    }
    return call.returns { $0.integer(count) }
  }

  private static let stats: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = looking(call) else { return noNode(call) }
    let value = hooks.node.statistics.asLuaValue
    return call.returns { $0.value(value) }
  }

  private static let heuristics: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = looking(call) else { return noNode(call) }
    let value = hooks.node.heuristics.asLuaValue
    return call.returns { $0.value(value) }
  }

  /// config() → the settings the node runs with
  private static let config: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = looking(call) else { return noNode(call) }
    let value = hooks.node.configuration.asLuaValue
    return call.returns { $0.value(value) }
  }

  /// shut_down() asks for it and returns at once
  private static let shutDown: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    hooks.runtime.scheduler.defer { hooks.node.shutDown {} }
    return call.none()
  }
}

extension LuaPack {
  /// `nil, error`, as calls that may fail in ordinary ways return.
  mutating func failure(_ error: NodeError, peer: String? = nil) {
    self.nil()
    self.error(ScriptError(code: .engine, kind: error.code.rawValue, message: error.message, peer: peer).asLuaError)
  }
}

extension Heuristics {
  package var asLuaValue: LuaValue {
    .table(
      LuaTable(
        fields: Self.names.map { LuaField(key: LuaValue.string(LuaString($0)), value: .integer(Int64(clamping: self[$0]))) }))
  }
}
