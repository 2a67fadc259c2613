import Logging
import LuaHost
import NodeCore
package import NodeEngine

/// The message path: from the read buffer into the script, without a queue between.
extension ScriptHooks {
  func receive(_ side: ConnectionScript) {
    guard side.dispatch == nil else { return }
    guard let function = processMessage else { return }
    guard let binding = side.binding else { return }
    guard runtime.turns.takesMessages else { return side.fallBehind() }
    runtime.turns.begin()
    defer { runtime.turns.end() }
    if !side.hasRequests && (binding.isDirect || binding.decoder != nil) {
      deliver(function, binding.decoder, to: side)
    } else if let loop = binding.loop {
      dispatch(loop, of: side)
    }
  }

  /// One call per message on one pooled coroutine, until the bytes run out, a hook waits or the connection has enough.
  private func deliver(_ function: LuaRef, _ decoder: LuaDecoder?, to side: ConnectionScript) {
    let task = runtime.takeTask(.message)
    task.connection = side
    var series = MessageSeries(side)
    var status: LuaRunStatus
    repeat {
      let pointer = side.isAttached ? Unmanaged.passUnretained(side).toOpaque() : nil
      let receiver = LuaReceiver(function, nodeHandle, side.handle, tag: ConnectionScript.tag, pointer: pointer)
      status = withUnsafeMutablePointer(to: &series) { series in
        if let decoder {
          runtime.vm.deliver(to: receiver, in: task.thread, from: MessageSeries.look, through: decoder, series)
        } else {
          runtime.vm.deliver(to: receiver, in: task.thread, from: MessageSeries.next, series)
        }
      }
    } while status == .finished && !series.isOver && !side.hasHadItsTurn(&series)
    guard status == .finished else { return settleMessage(task, status, of: side) }
    runtime.recycle(task)
    if let problem = series.problem { return side.connection.failDecoding(problem) }
    // A request waits now: from here on messages are offered to it.
    if side.hasRequests, side.connection.isOpen, let loop = side.binding?.loop { dispatch(loop, of: side) }
  }

  /// What ``deliver`` comes by, down to the first objects of Lua's.
  func addFootprint(of side: ConnectionScript, to footprint: inout Footprint) {
    for object in [side, self, runtime] as [AnyObject] { footprint.add(object) }
    if let binding = side.binding { footprint.add(binding) }
    guard let function = processMessage, let task = runtime.idle.last else { return }
    footprint.add(task)
    footprint.add(task.thread)
    let receiver = LuaReceiver(function, nodeHandle, side.handle)
    runtime.vm.visitPlaces(of: receiver, in: task.thread) { footprint.add($0, $1) }
  }

  /// The binding's loop in Lua: pulls, decodes, offers to requests, calls the hook.
  private func dispatch(_ loop: LuaRef, of side: ConnectionScript) {
    let task = runtime.takeTask(.message)
    task.connection = side
    let nodeHandle = nodeHandle
    let handle = side.handle
    let status = runtime.vm.start(task.thread, loop) { pack in
      pack.ref(nodeHandle)
      pack.ref(handle)
    }
    if status == .finished {
      runtime.recycle(task)
    } else {
      settleMessage(task, status, of: side)
    }
  }

  /// The rare ends of a message's run: it waits, so the next message waits too; or it failed, so the connection ends.
  private func settleMessage(_ task: ScriptTask, _ status: LuaRunStatus, of side: ConnectionScript) {
    var isOver = false
    task.completion = { [self] task, outcome in
      isOver = true
      side.runs.removeAll { $0 === task }
      endConnection(side, after: outcome)
      guard side.dispatch === task else { return }
      side.dispatch = nil
      guard side.connection.isOpen else { return }
      // What was kept for later comes before what is still in the engine's buffer, and before the peer's end.
      if side.hasRequests, let loop = side.binding?.loop {
        dispatch(loop, of: side)
        guard side.dispatch == nil, side.connection.isOpen else { return }
      }
      side.connection.releaseMessages()
    }
    runtime.settle(task, status)
    guard !isOver else { return }
    side.dispatch = task
    side.runs.append(task)
    side.connection.holdMessages()
    if side.hasRequests { tell(glue.held, side) }
  }

  package func drain(_ connection: Connection, keeping limit: Int) -> Int {
    // Whoever reads takes the messages as they come.
    guard let side = ConnectionScript.of(connection), !connection.hasReader else { return 0 }
    let handle = side.handle
    defer { runtime.vm.clearView() }
    do {
      let results = try runtime.vm.callNow(glue.drain) { pack in
        pack.ref(handle)
        pack.integer(Int64(limit))
      }
      return Int(results.first?.int ?? 0)
    } catch {
      var error = ScriptError(error, hook: "decoder", peer: side.address)
      error.connection = connection.id.rawValue
      report(error)
      connection.disconnect(error.asReason)
      return 0
    }
  }

  /// Lets the shipped Lua know of a turn in a connection's life.
  func tell(_ function: LuaRef, _ side: ConnectionScript) {
    guard !side.isForgotten else { return }
    let handle = side.handle
    do {
      _ = try runtime.vm.callNow(function) { $0.ref(handle) }
    } catch {
      report(ScriptError(error, peer: side.address))
    }
  }

  /// Messages are there that no read brought: kept by a request, or found by a task that stopped taking them.
  func redispatch(_ side: ConnectionScript) {
    guard side.connection.phaseIsLive, side.dispatch == nil, let loop = side.binding?.loop else { return }
    dispatch(loop, of: side)
  }

  /// A run that failed takes its connection with it.
  func endConnection(_ side: ConnectionScript, after outcome: RunOutcome) {
    guard case .failed(let error) = outcome else { return }
    // Its code was replaced: the connection goes on with other code.
    guard error.kind != NodeError.Code.replaced.rawValue else { return }
    // The end of the connection is what ended the run; nothing went wrong in the script.
    guard side.connection.isOpen else {
      if error.kind != "closed" && error.kind != "shutdown" { report(error) }
      return
    }
    // The peer left while the script waited for more: its end, and no error of the script.
    if error.kind == "closed", side.connection.hasEnded {
      return side.connection.disconnect(
        DisconnectReason(.eof, message: "the peer closed while \(error.hook ?? "a hook") was reading"))
    }
    report(error)
    side.connection.disconnect(error.asReason)
  }

  /// Counts and logs an error of the script.
  func report(_ error: ScriptError) {
    // That its code was replaced ended the run; nothing went wrong in the script.
    guard error.kind != NodeError.Code.replaced.rawValue else { return }
    count(error)
    // The peer's doing, unless the codec itself does not keep to its promises.
    let isPeers = error.kind == "closed" || error.kind == "decode" && error.value?.table?["is_fault"] != .boolean(true)
    let level: Logger.Level = isPeers ? .info : .error
    runtime.logger.log(level: level, "\(error)", metadata: error.logMetadata)
  }

  func count(_ error: ScriptError) {
    if error.code == .budget {
      node.heuristics.budgetKills += 1
    } else if error.kind != "decode" {
      node.heuristics.scriptErrors += 1
    } else {
      return
    }
    if !error.isForeign { onFailure?(error) }
  }
}

extension ScriptError {
  /// The reason a connection ends with after this error.
  var asReason: DisconnectReason {
    let kind: DisconnectReason.Kind = code == .budget ? .budget : kind == "decode" ? .decode : .script
    return DisconnectReason(kind, message: description)
  }

  func asNodeError(_ fallback: NodeError.Code) -> NodeError {
    NodeError(code: code == .budget ? .budget : fallback, message: description, cause: self)
  }
}
