import LuaHost
import NodeCore
import NodeEngine

extension HostConn {
  static let sending: [(String, LuaNative)] = [
    ("send", send), ("try_send", trySend), ("write", write), ("flush", flush),
  ]

  /// send(conn, bytes) → true, or nil, "closed"; parks while the queue is over its high-water mark
  private static let send: LuaNative = { state in
    let call = LuaCall(state)
    guard let (pointer, bytes) = call.objectAndBytes(ConnectionScript.tag) else {
      return ConnectionScript.of(call) == nil ? closed(call, "send") : wrongType(call, "send")
    }
    // Alive as long as its object points to it: nothing to retain.
    return Unmanaged<ConnectionScript>.fromOpaque(pointer)._withUnsafeGuaranteedRef { side in
      if side.connection.sendPlain(bytes) { return call.returnTrue() }
      let outcome = side.connection.sendChecked(bytes)
      return outcome == .queued ? call.returnTrue() : settle(call, side, outcome, bytes, framed: true)
    }
  }

  /// write(conn, bytes) → true, or raises: raw bytes, under the same marks
  private static let write: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return notLive(call, "write") }
    guard let bytes = call.bytes(2) else { return wrongType(call, "write") }
    let outcome = side.connection.write(bytes)
    if outcome == .queued { return call.returnTrue() }
    return settle(call, side, outcome, bytes, framed: false)
  }

  /// try_send(conn, bytes) → true, or nil, "full" | "closed"
  private static let trySend: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return closed(call, "try_send") }
    guard let bytes = call.bytes(2) else { return wrongType(call, "try_send") }
    switch side.connection.trySend(bytes) {
    case .queued: return call.returnTrue()
    case .full, .wait: return failed(call, "full")
    case .closed: return failed(call, "closed")
    case .refused(let why): return refused(call, "try_send", why)
    }
  }

  /// flush(conn) → true, or nil, kind; parks until the kernel has taken all that was queued
  private static let flush: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return closed(call, "flush") }
    return side.runtime.park(call, "conn:flush") { wait in
      let token = side.connection.whenFlushed { reason in
        wait.resume { pack in
          guard let reason else { return pack.boolean(true) }
          pack.nil()
          pack.string(reason.kind == .writeTimeout ? "write_timeout" : "closed")
        }
      }
      return { token.cancel() }
    }
  }

  private static func settle(
    _ call: LuaCall, _ side: ConnectionScript, _ outcome: SendOutcome, _ bytes: UnsafeRawBufferPointer, framed: Bool
  ) -> Int32 {
    let name = framed ? "send" : "write"
    switch outcome {
    case .queued: return call.returnTrue()
    case .closed: return framed ? closed(call, name) : closed(call)
    case .refused(let why): return refused(call, name, why)
    case .wait, .full:
      return side.runtime.park(call, "conn:\(name)") { wait in
        // It stays in the script, and so within its memory, however many wait with it. A string that is held does not move.
        guard let held = call.ref(2) else {
          wait.fail(ScriptError(code: .budget, kind: "budget", message: "conn:\(name): there is no memory to wait with"))
          return {}
        }
        let (connection, vm) = (side.connection, side.runtime.vm)
        let waiting = WaitingSend(connection) {
          framed ? connection.send(bytes) : connection.write(bytes)
        } completion: {
          vm.release(held)
          answer(wait, $0, connection, framed: framed)
        }
        return {
          waiting.cancel()
          vm.release(held)
        }
      }
    }
  }

  private static func answer(_ wait: ScriptWait, _ outcome: SendOutcome, _ connection: Connection, framed: Bool) {
    switch outcome {
    case .queued: wait.resume { $0.boolean(true) }
    case .refused(let why): wait.fail(ScriptError(code: .script, kind: "too_large", message: why))
    case .closed, .wait, .full:
      guard framed else { return wait.fail(.closed("\(connection.address)")) }
      wait.resume { pack in
        pack.nil()
        pack.string("closed")
      }
    }
  }

  private static func failed(_ call: LuaCall, _ kind: String) -> Int32 {
    call.returns { pack in
      pack.nil()
      pack.string(kind)
    }
  }

  private static func closed(_ call: LuaCall, _ name: String) -> Int32 {
    guard call.isTable(1) else { return notLive(call, name) }
    let runtime = ScriptRuntime.of(call)
    if runtime.hooks?.isStaged == true { return notYet(call) }
    runtime.noteFutileWait()
    return failed(call, "closed")
  }

  private static func wrongType(_ call: LuaCall, _ name: String) -> Int32 {
    call.raise(
      "usage",
      "conn:\(name): the message must be a string of bytes, got \(call.typeName(2)); encode it, "
        + "or give the script a codec that does (codec.map, codec.packed)")
  }

  private static func refused(_ call: LuaCall, _ name: String, _ why: String) -> Int32 {
    if ScriptRuntime.of(call).hooks?.node.refusesSending == true { return notYet(call) }
    return call.blame("too_large", "conn:\(name): \(why)")
  }
}
