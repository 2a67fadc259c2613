package import LuaHost
package import NodeCore
import NodeEngine

/// `host.conn`: one connection's operations, each with the handle as its first argument.
enum HostConn {
  static let natives: [(String, LuaNative)] =
    sending + reading + pulling + [
      ("pause", pause), ("resume", resume), ("disconnect", disconnect), ("abort", abort), ("stats", stats),
      ("set_option", setOption), ("set_codec", setCodec), ("set_requests", setRequests),
      ("may_pull", mayPull), ("redispatch", redispatch),
    ]

  private static let pause: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return over(call, "pause_reading") { $0.none() } }
    side.connection.pauseReading()
    return call.none()
  }

  private static let resume: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return over(call, "resume_reading") { $0.none() } }
    side.connection.resumeReading()
    return call.none()
  }

  /// disconnect(conn, message?) closes after what is queued has left
  private static let disconnect: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return call.returns { $0.boolean(false) } }
    let wasOpen = side.connection.isOpen
    side.connection.disconnect(DisconnectReason(.local, message: call.string(2)))
    return call.returns { $0.boolean(wasOpen) }
  }

  private static let abort: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else {
      return over(call, "abort") { call in call.returns { $0.boolean(false) } }
    }
    let wasOpen = side.connection.isOpen
    // A decoder may be what asks: the bytes it looks at go with the connection.
    side.clearOwnView()
    side.connection.abort(DisconnectReason(.local))
    return call.returns { $0.boolean(wasOpen) }
  }

  /// stats(conn) → { messages_sent, … } or nil once the connection is over
  private static let stats: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else {
      return over(call, "stats") { call in call.returns { $0.nil() } }
    }
    let value = side.connection.statistics.asLuaValue
    return call.returns { $0.value(value) }
  }

  /// set_option(conn, name, value) → true, or raises
  private static let setOption: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return notLive(call, "set_option") }
    guard let name = call.string(2) else { return call.raise("usage", "conn:set_option: an option's name is expected") }
    let value: ConfigurationValue
    if let flag = call.boolean(3) {
      value = .boolean(flag)
    } else if let number = call.integer(3) {
      value = .integer(number)
    } else if let text = call.string(3) {
      value = .string(text)
    } else {
      return call.raise("usage", "conn:set_option: \(name) cannot be \(call.typeName(3))")
    }
    do throws(NodeError) {
      try side.connection.setOption(name, value)
      return call.returnTrue()
    } catch {
      guard error.code != .closed else { return notLive(call, "set_option") }
      return call.raise(error.code == .configuration ? "usage" : error.code.rawValue, "conn:" + error.message)
    }
  }

  /// set_codec(conn, kind, max, width, endian, includes_header, delimiter, size, loop?, direct, decode?, refuse?): what
  /// `dispatch.bind` made
  private static let setCodec: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) ?? ScriptRuntime.of(call).staged else {
      return call.raise("closed", "the connection is closed")
    }
    let framing = Framing(codecArguments: call, from: 2)
    if let problem = framing.problem { return call.raise("usage", "codec: \(problem)") }
    side.bind(
      CodecBinding(
        side.runtime.vm, framing: framing, loop: call.isFunction(9) ? call.ref(9) : nil,
        isDirect: call.boolean(10) ?? false,
        decoder: call.isFunction(11) ? MessageSeries.decoder(call.ref(11), call.ref(12), max: framing.max) : nil))
    return call.none()
  }

  /// set_requests(conn, waiting, stashed): whether messages must be offered to `conn:request` first, and whether decoded
  /// ones wait in Lua
  private static let setRequests: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) ?? ScriptRuntime.of(call).staged else { return call.none() }
    side.hasRequests = call.boolean(2) ?? false
    side.hasStash = call.boolean(3) ?? false
    return call.none()
  }

  /// may_pull(conn) → true, or false, "dispatcher" | "reader": whether the running task may take messages now
  private static let mayPull: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call), side.connection.isOpen else { return call.returnTrue() }
    let obstacle = side.connection.hasReader ? "reader" : side.mayRead(runtime: side.runtime) ? nil : "dispatcher"
    guard let obstacle else { return call.returnTrue() }
    return call.returns { pack in
      pack.boolean(false)
      pack.string(obstacle)
    }
  }

  /// redispatch(conn): messages have arrived that are the hook's; its loop runs at the end of the tick
  private static let redispatch: LuaNative = { state in
    let call = LuaCall(state)
    if let side = ConnectionScript.of(call) {
      side.runtime.scheduler.defer { side.hooks.redispatch(side) }
    }
    return call.none()
  }

  /// What a native that may be called at any time answers when its first argument is no live handle.
  static func over(_ call: LuaCall, _ name: String, _ answer: (LuaCall) -> Int32) -> Int32 {
    call.isTable(1) ? answer(call) : notLive(call, name)
  }

  static func closed(_ call: LuaCall) -> Int32 {
    let runtime = ScriptRuntime.of(call)
    if runtime.hooks?.isStaged == true { return notYet(call) }
    runtime.noteFutileWait()
    return call.raise("closed", "the connection is closed")
  }

  /// What a native says in code that is to take the node over and may yet fail, and in what the old code's state moves with.
  static func notYet(_ call: LuaCall) -> Int32 {
    let place = ScriptRuntime.of(call).hooks?.isStaged == true ? "a task" : "a task that restore starts"
    return call.raise(
      "usage",
      "the reload may still fail, so nothing can be sent or read yet: do this in \(place) (node:spawn), which starts once the "
        + "new code is in place")
  }

  /// What a native says when its first argument is no live handle.
  static func notLive(_ call: LuaCall, _ name: String) -> Int32 {
    if call.isTable(1) { return closed(call) }
    return call.raise("usage", "conn:\(name): call it with a colon, on a conn; got \(call.typeName(1))")
  }
}

extension TrafficStatistics {
  package var asLuaValue: LuaValue {
    [
      "messages_sent": .integer(Int64(clamping: messagesSent)), "bytes_sent": .integer(Int64(clamping: bytesSent)),
      "messages_received": .integer(Int64(clamping: messagesReceived)),
      "bytes_received": .integer(Int64(clamping: bytesReceived)), "created_at": .number(createdAt),
    ]
  }
}
