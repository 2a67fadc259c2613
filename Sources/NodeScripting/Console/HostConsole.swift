import LuaHost
import NodeEngine

/// `host.console`: what console.lua needs of its host.
enum HostConsole {
  static let natives: [(String, LuaNative)] = [("wanted", wanted), ("note", note), ("set_binding", setBinding)]

  /// wanted(id) → whether the trace shows another message now
  private static let wanted: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    let isWanted = call.integer(1).flatMap { runtime.traces[$0] }?.takes(at: runtime.scheduler.now) ?? false
    return call.returns { $0.boolean(isWanted) }
  }

  /// note(id, direction, text)
  private static let note: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    if let trace = call.integer(1).flatMap({ runtime.traces[$0] }), let direction = call.string(2), let text = call.string(3) {
      trace.note(direction, text, time: runtime.scheduler.wallClock)
    }
    return call.none()
  }

  /// set_binding(conn, loop?, direct, decode?, refuse?): as host.conn.set_codec, for the codec the connection has
  private static let setBinding: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return HostConn.closed(call) }
    side.binding = CodecBinding(
      side.runtime.vm, framing: side.framing, loop: call.isFunction(2) ? call.ref(2) : nil,
      isDirect: call.boolean(3) ?? false,
      decoder: call.isFunction(4)
        ? MessageSeries.decoder(call.ref(4), call.ref(5), max: side.framing?.max ?? 1 << 20) : nil)
    return call.none()
  }
}
