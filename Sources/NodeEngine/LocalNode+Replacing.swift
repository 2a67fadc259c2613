import Logging
package import NodeCore

/// What replacing a running node's logic asks of the engine.
extension LocalNode {
  /// Started, and not being shut down.
  package var isRunning: Bool { phase == .running }
  /// Shutdown has begun, or is over.
  package var isEnding: Bool { phase == .shuttingDown || phase == .stopped }

  /// All there are, in the order they began: being set up, live, in their `on_disconnect`.
  package var everyConnection: [Connection] {
    (Array(settingUp.values) + Array(live.values)).filter { $0.phase != .gone }.sorted { $0.id < $1.id }
  }

  /// While `body` runs, which cannot wait, every send is refused: it may be for nothing yet, and cannot be taken back.
  package func withoutSending<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    refusesSending = true
    defer { refusesSending = false }
    // No short way past the look at it.
    for connection in settingUp.values { connection.plainRoom = 0 }
    for connection in live.values { connection.plainRoom = 0 }
    return try body()
  }

  /// From now on the node runs under `wish`, but for the keys that need a restart: those stay as they are.
  package func reconfigure(_ wish: NodeConfiguration) {
    let old = configuration
    configuration = wish.keepingWhatNeedsRestart(of: old)
    admission.limits = Admission.Limits(
      connections: configuration.maxConnections, perIP: configuration.maxConnectionsPerIP,
      perSubnet: configuration.maxConnectionsPerSubnet, connecting: configuration.maxConnecting)
    updateAcceptRoom()
    guard configuration.idleTimeout != old.idleTimeout else { return }
    for connection in live.values.sorted(by: { $0.id < $1.id }) where connection.phase == .live {
      connection.idleTimer?.cancel()
      connection.idleTimer = nil
      armIdleTimer(connection)
    }
  }
}

extension Connection {
  /// Other hooks have the connection now: what has arrived is cut anew, from the first byte that nobody has taken.
  package func hand(to framing: Framing?, dispatching: Bool) {
    self.framing = framing
    dispatchesMessages = dispatching
    // Whoever was to go on reading one day may be gone.
    isReadingPaused = false
    inbound.startOver()
  }

  /// Whoever has the connection now is asked to look at what has arrived.
  package func resumeDispatch() {
    isHeld = false
    pump()
  }
}
