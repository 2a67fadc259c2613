import LuaHost
import NodeCore
import NodeEngine

extension HostNode {
  static let dialling: [(String, LuaNative)] = [("connect", connect), ("open", open)]

  /// connect(address, timeout?, local_address?, reuse_port?) → conn, or nil, error; parks
  private static let connect: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    guard !hooks.isReplaced else {
      let error = NodeError(
        code: .replaced, message: "this code was replaced by a reload: connections are the new code's to make")
      return call.returns { $0.failure(error) }
    }
    return dial(call, hooks, "node:connect") { peer, options, done in
      let token = hooks.node.connect(to: peer, options: options, completion: done)
      return { token.cancel() }
    }
  }

  /// open(address, timeout?, local_address?, reuse_port?) → a plain stream, or nil, error; parks
  private static let open: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    return dial(call, hooks, "node:open") { peer, options, done in
      let token = hooks.node.open(to: peer, options: options, framing: nil) { result in
        if case .success(let connection) = result { _ = try? hooks.scriptSide(of: connection) }
        done(result)
      }
      return { token.cancel() }
    }
  }

  private static func dial(
    _ call: LuaCall, _ hooks: ScriptHooks, _ what: String,
    _ begin: (PeerAddress, DialOptions, @escaping (Result<Connection, NodeError>) -> Void) -> () -> Void
  ) -> Int32 {
    let peer: PeerAddress
    switch address(call, 1) {
    case .success(let parsed): peer = parsed
    case .failure(let error): return call.raise("usage", "\(what): \(error.message)")
    }
    var options = DialOptions()
    options.timeout = call.isNil(2) ? nil : HostTime.duration(call, 2)
    if !call.isNil(3) {
      switch address(call, 3) {
      case .success(let parsed): options.localAddress = parsed
      case .failure(let error): return call.raise("usage", "\(what): local_address: \(error.message)")
      }
    }
    options.reusePort = call.boolean(4) ?? false
    // Given back and not raised: it may be a peer that has said where.
    for end in [peer, options.localAddress].compactMap({ $0 }) {
      if let problem = hooks.script.unixSockets.problem(with: end) {
        return call.returns { $0.failure(problem, peer: "\(peer)") }
      }
    }
    return hooks.runtime.park(call, what) { wait in
      begin(peer, options) { result in
        wait.resume { pack in
          switch result {
          case .success(let connection):
            if let side = hooks.side(of: connection), !side.isForgotten {
              pack.ref(side.handle)
            } else {
              pack.failure(NodeError(code: .closed, message: "\(peer) closed the connection"), peer: "\(peer)")
            }
          case .failure(let error): pack.failure(error, peer: "\(peer)")
          }
        }
      }
    }
  }
}
