import Logging
import NodeCore

extension LocalNode {
  /// Runs the hooks' start, then listens.
  func start(completion: @escaping (Result<Void, NodeError>) -> Void) {
    guard phase == .created || phase == .starting || phase == .running else { return completion(.failure(shutdownError)) }
    guard phase == .created else {
      return completion(.failure(NodeError(code: .configuration, message: "the node \(name) was started already")))
    }
    phase = .starting
    let timing = timing(.initialise)
    hooks.start(self) { [self] result in
      timing?()
      guard phase == .starting else { return completion(.failure(shutdownError)) }
      switch result {
      case .failure(let error):
        // A node that did not start owns nothing.
        shutDown { completion(.failure(error)) }
      case .success: listenAll(configuration.listen[...], completion)
      }
    }
  }

  private func listenAll(_ remaining: ArraySlice<PeerAddress>, _ completion: @escaping (Result<Void, NodeError>) -> Void) {
    guard let first = remaining.first else {
      phase = .running
      updateAcceptRoom()
      return completion(.success(()))
    }
    listen(on: first) { [self] result in
      switch result {
      case .success: listenAll(remaining.dropFirst(), completion)
      case .failure(let error): shutDown { completion(.failure(error)) }
      }
    }
  }

  /// No new work first; then `on_shutdown`; then all connections at once; then the listener's port is free.
  ///
  /// Harmless to call twice; a hook that calls it must not wait for it.
  public func shutDown(completion: @escaping () -> Void) {
    if phase == .stopped { return completion() }
    shutdownWaiters.append(completion)
    guard phase != .shuttingDown else { return }
    let wasStarted = phase != .created
    phase = .shuttingDown
    admission.beginShutdown()
    hooks.shutdownBegins()
    updateAcceptRoom()
    logger.debug("shutting down")
    let error = shutdownError
    for token in dials.keys.sorted().compactMap({ dials[$0] }) { token.end(error) }
    for connection in settingUp.values.sorted(by: { $0.id < $1.id }) { rejectSetUp(connection, error) }
    guard wasStarted, hooks.declared.contains(.onShutdown) else { return closeEverything() }
    var isOver = false
    let limit = configuration.onShutdownTimeout
    let timer = scheduler.schedule(after: limit) { [self] in
      guard !isOver else { return }
      isOver = true
      heuristics.hookTimeouts += 1
      logger.warning("on_shutdown took longer than \(limit)")
      hooks.cancel(.onShutdown, nil, because: NodeError(code: .timeout, message: "on_shutdown took longer than \(limit)"))
      closeEverything()
    }
    let timing = timing(.onShutdown)
    hooks.shutDown { [self] in
      timing?()
      guard !isOver else { return }
      isOver = true
      timer.cancel()
      closeEverything()
    }
  }

  /// Called once the node has stopped; asks for nothing itself.
  public func whenStopped(_ completion: @escaping () -> Void) {
    if phase == .stopped { return completion() }
    shutdownWaiters.append(completion)
  }

  private func closeEverything() {
    isClosing = true
    stopListening { [self] in
      isPortFree = true
      finishShutdownIfDone()
    }
    for connection in live.values.sorted(by: { $0.id < $1.id }) {
      connection.disconnect(DisconnectReason(.shutdown))
    }
    finishShutdownIfDone()
  }

  /// Waits for what was claimed elsewhere too.
  func finishShutdownIfDone() {
    guard phase == .shuttingDown, isClosing, isPortFree, live.isEmpty, settingUp.isEmpty else { return }
    phase = .stopped
    hooks.stopped()
    let waiters = shutdownWaiters
    shutdownWaiters = []
    logger.debug("stopped")
    for waiter in waiters { waiter() }
  }

  /// As a crash would: everything is cut, no hook runs.
  package func crash(completion: @escaping () -> Void) {
    guard phase != .stopped else { return completion() }
    phase = .shuttingDown
    admission.beginShutdown()
    let all = (Array(live.values) + Array(settingUp.values)).sorted { $0.id < $1.id }
    let error = NodeError(code: .shutdown, message: "the node \(name) has crashed")
    for token in dials.keys.sorted().compactMap({ dials[$0] }) { token.end(error) }
    live = [:]
    byAddress = [:]
    settingUp = [:]
    for connection in all where connection.phase != .gone { cut(connection, error) }
    stopListening { [self] in
      guard phase != .stopped else { return completion() }
      phase = .stopped
      hooks.stopped()
      let waiters = shutdownWaiters
      shutdownWaiters = []
      for waiter in waiters { waiter() }
      completion()
    }
  }

  private func cut(_ connection: Connection, _ error: NodeError) {
    connection.phase = .gone
    for timer in connection.timers { timer.cancel() }
    connection.timers = []
    connection.idleTimer?.cancel()
    connection.writeTimer?.cancel()
    connection.stream.abort()
    connection.isStreamAlive = false
    connection.endTap()
    ended += connection.statistics
    releaseReservation(connection.address)
    connection.dropBuffers()
    // The logic goes first: what waits is woken only so that nothing hangs.
    hooks.forgotten(connection)
    connection.wakeAll()
    connection.wakeEndWaiters()
    let done = connection.handshakeDone
    connection.handshakeDone = nil
    done?(.failure(error))
  }
}
