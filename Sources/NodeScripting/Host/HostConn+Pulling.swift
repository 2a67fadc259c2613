import LuaHost
import NodeEngine

/// What the bindings of `dispatch.lua` take messages with.
extension HostConn {
  static let pulling: [(String, LuaNative)] = [
    ("next_message", nextMessage), ("view", view), ("take", take), ("expect", expect), ("dispatching", dispatching),
    ("fail_decoding", failDecoding), ("is_open", isOpen),
  ]

  /// next_message(conn) → the next whole message's bytes, or nil; nil, too, once it is being closed: what is left goes with it
  private static let nextMessage: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else {
      ScriptRuntime.of(call).noteFutileWait()
      return call.returns { $0.nil() }
    }
    guard !side.connection.hasReader else { return HostConn.secondReader(call, "receive") }
    // Its on_disconnect may have returned before a run that was woken comes to this.
    guard side.connection.isOpen else {
      side.runtime.noteFutileWait()
      return call.returns { $0.nil() }
    }
    switch side.connection.inbound.nextMessage() {
    case .message(let bytes): return call.returnBytes(bytes)
    case .needMore:
      if side.connection.hasEnded { side.runtime.noteFutileWait() }
      return call.returns { $0.nil() }
    case .invalid(let message):
      side.connection.failDecoding(message)
      return call.raise("decode", message)
    }
  }

  /// view(conn) → the view of what has arrived, and how many bytes that is
  private static let view: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call), side.connection.isOpen else {
      ScriptRuntime.of(call).noteFutileWait()
      return call.returns { pack in
        pack.nil()
        pack.integer(0)
      }
    }
    let vm = side.runtime.vm
    let bytes = side.connection.inbound.bytes
    let view = vm.view
    guard !view.isNone else { return call.raise("budget", "there is no memory for a view of what has arrived") }
    vm.setView(bytes)
    side.noteView()
    return call.returns { pack in
      pack.ref(view)
      pack.integer(Int64(bytes.count))
    }
  }

  /// take(conn, n, peek?, silent?) → the next n bytes or nil while there are fewer; with peek they stay; silent: only
  /// whether they were taken and the connection is still open
  private static let take: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call), let count = call.integer(2) else { return call.returns { $0.nil() } }
    guard side.connection.isOpen else {
      side.runtime.noteFutileWait()
      return call.returns { $0.nil() }
    }
    let inbound = side.connection.inbound
    let bytes = inbound.bytes
    guard bytes.count >= count else {
      inbound.expect(Int(count))
      return call.returns { $0.nil() }
    }
    let isPeek = call.boolean(3) ?? false
    let isSilent = call.boolean(4) ?? false
    let verdict =
      isSilent ? call.returnTrue() : call.returnBytes(UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)]))
    if !isPeek {
      side.runtime.vm.clearView()
      inbound.consume(Int(count))
      inbound.countMessage(bytes: Int(count))
    }
    return verdict
  }

  /// expect(conn, n): no need to look again before n bytes are there
  private static let expect: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call), let total = call.integer(2) else { return call.none() }
    side.runtime.vm.clearView()
    side.connection.inbound.expect(Int(total))
    return call.none()
  }

  /// fail_decoding(conn, message): what has arrived is no message, so the connection ends
  private static let failDecoding: LuaNative = { state in
    let call = LuaCall(state)
    ConnectionScript.of(call)?.runtime.vm.clearView()
    ConnectionScript.of(call)?.connection.failDecoding(call.string(2) ?? "the bytes are no message")
    return call.none()
  }

  /// is_open(conn) → whether it is not being closed
  private static let isOpen: LuaNative = { state in
    let call = LuaCall(state)
    let isOpen = ConnectionScript.of(call)?.connection.isOpen ?? false
    return call.returns { $0.boolean(isOpen) }
  }

  /// dispatching(conn) → whether the next message may go to the hook now
  private static let dispatching: LuaNative = { state in
    let call = LuaCall(state)
    let side = ConnectionScript.of(call)
    let isLive = side.map { $0.connection.isOpen && !$0.connection.isReadingPaused } ?? false
    // While the code is about to be replaced only what is decoded already goes to the hook.
    let mayTake = side.map { !$0.hooks.isHolding || $0.hasStash } ?? false
    // What is decoded already does not wait for a turn.
    let hasTurn = isLive && mayTake && (side.map { $0.hasStash || !$0.connection.isBehind && $0.mayGoOn } ?? false)
    return call.returns { $0.boolean(hasTurn) }
  }
}
