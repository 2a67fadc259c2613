import DequeModule
import Logging
public import NodeCore

extension Connection {
  /// Ends the connection after what is queued has left (bounded by `write_timeout`). The first reason counts.
  public func disconnect(_ reason: DisconnectReason) {
    node.endConnection(self, reason, isAbrupt: false)
  }

  /// Ends it at once: the peer sees a reset.
  public func abort(_ reason: DisconnectReason) {
    node.endConnection(self, reason, isAbrupt: true)
  }

  /// Whoever waits on the connection learns that it is over.
  func wakeAll() {
    if let reader {
      self.reader = nil
      reader(.ended)
    }
    let waiting = writers
    writers = []
    for writer in waiting { _ = writer.run(false) }
    if !isStreamAlive { wakeFlushers() }
  }

  func wakeEndWaiters() {
    let waiters = endWaiters
    endWaiters = []
    for waiter in waiters { waiter(true) }
  }

  /// A message hook that ended the connection may still look at its message: the received bytes stay until it returns.
  func dropBuffers() {
    outgoing.removeAll()
    if !isPumping { inbound.removeAll() }
  }
}

extension LocalNode {
  /// Ends a connection; the completion comes after `on_disconnect`, with whether this call was the one that ended it.
  public func disconnect(
    _ connection: Connection, reason: DisconnectReason, completion: @escaping (Bool) -> Void
  ) {
    guard connection.phase != .gone else { return completion(false) }
    let isFirst = connection.isOpen
    connection.endWaiters.append { _ in completion(isFirst) }
    if isFirst { connection.disconnect(reason) }
  }

  /// Claimed by exactly one caller, whoever comes first.
  func endConnection(_ connection: Connection, _ reason: DisconnectReason, isAbrupt: Bool) {
    if isAbrupt, connection.isStreamAlive, connection.phase != .gone {
      connection.stream.abort()
      connection.isStreamAlive = false
      // One that is already being closed may be waiting for its last bytes to leave: they will not.
      if connection.phase == .disconnecting { connection.wakeAll() }
    }
    if connection.phase == .settingUp {
      return rejectSetUp(connection, NodeError(code: .closed, message: "the set-up was ended: \(reason)"))
    }
    guard connection.phase == .live else { return }
    connection.phase = .disconnecting
    connection.reason = reason
    connection.idleTimer?.cancel()
    connection.updateReading()
    if reason.kind == .decode { heuristics.decodeErrors += 1 }
    logger.debug("disconnecting", metadata: connection.logMetadata.merging(["reason": "\(reason)"]) { $1 })
    connection.wakeAll()
    guard !connection.isStream else { return flushThenForget(connection) }
    disconnects[reason.kind, default: 0] += 1
    let timing = hooks.declared.contains(.onDisconnect) ? timing(.onDisconnect) : nil
    var isOver = false
    func finish() {
      guard !isOver else { return }
      isOver = true
      timing?()
      for timer in connection.timers { timer.cancel() }
      connection.timers = []
      flushThenForget(connection)
    }
    hooks.disconnected(connection, reason: reason, completion: finish)
    guard !isOver else { return }
    let limit = configuration.onDisconnectTimeout
    connection.timers.append(
      scheduler.schedule(after: limit) { [self] in
        guard !isOver else { return }
        heuristics.hookTimeouts += 1
        logger.warning("on_disconnect took longer than \(limit)", metadata: connection.logMetadata)
        let error = NodeError(code: .timeout, message: "on_disconnect took longer than \(limit)")
        hooks.cancel(.onDisconnect, connection, because: error)
        finish()
      })
  }

  private func flushThenForget(_ connection: Connection) {
    guard connection.isStreamAlive, connection.queued > 0 else { return forget(connection) }
    connection.flushNow()
    guard connection.isStreamAlive, connection.queued > 0 else { return forget(connection) }
    var isOver = false
    func finish() {
      guard !isOver else { return }
      isOver = true
      forget(connection)
    }
    // A peer that does not read must not hold the slot longer than a write may take.
    connection.writeTimer?.cancel()
    connection.writeTimer = nil
    connection.timers.append(
      scheduler.schedule(after: configuration.writeTimeout) { [self] in
        guard !isOver else { return }
        heuristics.writeTimeouts += 1
        connection.stream.abort()
        connection.isStreamAlive = false
        finish()
      })
    _ = connection.whenFlushed { _ in finish() }
  }

  private func forget(_ connection: Connection) {
    guard connection.phase == .disconnecting else { return }
    connection.phase = .gone
    for timer in connection.timers { timer.cancel() }
    connection.timers = []
    connection.writeTimer?.cancel()
    if connection.isStreamAlive { connection.stream.close() }
    connection.isStreamAlive = false
    connection.endTap()
    live[connection.id] = nil
    if byAddress[connection.address] === connection { byAddress[connection.address] = nil }
    ended += connection.statistics
    releaseReservation(connection.address)
    connection.wakeAll()
    connection.dropBuffers()
    hooks.forgotten(connection)
    connection.wakeEndWaiters()
    finishShutdownIfDone()
  }
}
