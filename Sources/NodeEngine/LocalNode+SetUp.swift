import Logging
import NodeCore

/// From a raw stream to a live connection: handshake, codec, registration, in this order.
extension LocalNode {
  func setUp(_ connection: Connection, completion: @escaping (Result<Void, NodeError>) -> Void) {
    settingUp[connection.id] = connection
    connection.handshakeDone = completion
    connection.stream.delegate = connection
    if let tap {
      connection.tapped = tap.tap(
        TappedConnection(
          node: name, nodeID: id, id: connection.id, side: connection.side, local: connection.localAddress,
          peer: connection.address)
      ).map(TappedTraffic.init)
    }
    guard hooks.declared.contains(.handshake), !connection.isStream else {
      establish(connection)
      return
    }
    connection.updateReading()
    let limit = configuration.handshakeTimeout
    connection.timers.append(
      scheduler.schedule(after: limit) { [self] in
        guard connection.phase == .settingUp else { return }
        heuristics.handshakeTimeouts += 1
        let error = NodeError(code: .timeout, message: "the handshake with \(connection.address) took longer than \(limit)")
        rejectSetUp(connection, error)
      })
    let timing = timing(.handshake)
    hooks.handshake(connection) { [self] result in
      timing?()
      guard connection.phase == .settingUp, connection.handshakeDone != nil else { return }
      switch result {
      case .success: establish(connection)
      case .failure(let error):
        heuristics.handshakeFailures += 1
        rejectSetUp(
          connection, NodeError(code: error.code == .budget ? .budget : .handshake, message: error.message, cause: error))
      }
    }
  }

  private func establish(_ connection: Connection) {
    do throws(NodeError) {
      guard connection.isStreamAlive else { throw .closed(connection.address) }
      if !connection.isStream {
        connection.dispatchesMessages = hooks.declared.handsOutMessages
        let framing = try hooks.framing(for: connection)
        if let problem = framing.problem { throw NodeError(code: .configuration, message: problem) }
        connection.framing = framing
      }
      guard admission.establish(connection.address) else { throw shutdownError }
    } catch {
      return rejectSetUp(connection, error)
    }
    settingUp[connection.id] = nil
    for timer in connection.timers { timer.cancel() }
    connection.timers = []
    connection.phase = .live
    connection.tapped?.isLive(connection)
    live[connection.id] = connection
    if !connection.isStream { established[connection.side, default: 0] += 1 }
    byAddress[connection.address] = connection
    updateAcceptRoom()
    logger.debug("connected", metadata: connection.logMetadata.merging(["side": "\(connection.side.rawValue)"]) { $1 })
    let done = connection.handshakeDone
    connection.handshakeDone = nil
    armIdleTimer(connection)
    if !connection.isStream { hooks.connected(connection) }
    // connect() returns before messages do, and never waits for on_connect.
    done?(.success(()))
    guard connection.phase == .live else { return }
    connection.pump()
    connection.flushNow()
  }

  /// Ends a set-up: the slot is free at once, and no message was let through.
  func rejectSetUp(_ connection: Connection, _ error: NodeError) {
    guard connection.phase == .settingUp else { return }
    connection.phase = .gone
    settingUp[connection.id] = nil
    for timer in connection.timers { timer.cancel() }
    connection.timers = []
    logger.debug("set-up failed: \(error)", metadata: connection.logMetadata)
    // Also where there is no such hook any more: the code may have been replaced since the handshake began.
    if !connection.isStream { hooks.cancel(.handshake, connection, because: error) }
    ended += connection.statistics
    connection.flushNow()
    connection.wakeAll()
    // An I/O loop has had no time yet to say that the last words are written; how long it tries is bounded by the lingering.
    let isWritten = connection.stream.unwritten == 0
    if isWritten || connection.relayed != nil { connection.stream.close() } else { connection.stream.abort() }
    connection.isStreamAlive = false
    // Its last words may have armed it, and it would keep all of this for as long.
    connection.writeTimer?.cancel()
    connection.writeTimer = nil
    connection.endTap()
    releaseReservation(connection.address)
    connection.dropBuffers()
    hooks.forgotten(connection)
    connection.wakeEndWaiters()
    let done = connection.handshakeDone
    connection.handshakeDone = nil
    done?(.failure(error))
    finishShutdownIfDone()
  }

  func streamFailed(_ connection: Connection, _ reason: DisconnectReason) {
    if connection.phase == .settingUp {
      heuristics.handshakeFailures += 1
      rejectSetUp(
        connection, NodeError(code: .handshake, message: "\(connection.address) closed the connection during its set-up"))
    } else {
      connection.disconnect(reason)
    }
  }

  /// No message for so long: closed. Time in which the script itself held messages back does not count.
  func armIdleTimer(_ connection: Connection) {
    guard configuration.idleTimeout > .zero, !connection.isStream else { return }
    connection.noteProgress()
    armIdleTimer(connection, after: configuration.idleTimeout)
  }

  private func armIdleTimer(_ connection: Connection, after delay: Duration) {
    connection.idleTimer = scheduler.schedule(after: delay) { [self] in
      connection.idleTimer = nil
      guard connection.phase == .live else { return }
      connection.noteProgress()
      let limit = configuration.idleTimeout
      if connection.isHeld || connection.isReadingPaused || connection.isBehind { return armIdleTimer(connection, after: limit) }
      let left = limit - (scheduler.now - connection.lastProgressAt)
      guard left <= .zero else { return armIdleTimer(connection, after: left) }
      heuristics.idleTimeouts += 1
      connection.disconnect(DisconnectReason(.idle, message: "no message for \(limit)"))
    }
  }
}
