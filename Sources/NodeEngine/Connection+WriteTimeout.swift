import NodeCore

/// The write time-out: no progress of the queue's head for so long.
extension Connection {
  /// Only what the kernel did not take at once needs a clock.
  public func streamWaits() {
    guard isStreamAlive else { return }
    lastWriteProgressAt = node.scheduler.now
    if writeTimer == nil { armWriteTimer(left: node.configuration.writeTimeout) }
  }

  private func armWriteTimer(left: Duration) {
    // Progress is seen when it is looked for, so a single look at the end would let a peer have twice the time.
    let delay = min(left, node.configuration.writeTimeout / 4)
    writeTimer = node.scheduler.schedule(after: delay) { [self] in
      writeTimer = nil
      guard inFlight > 0, isStreamAlive else { return }
      let unwritten = stream.unwritten
      let now = node.scheduler.now
      if unwritten < lastUnwritten {
        lastUnwritten = unwritten
        lastWriteProgressAt = now
      }
      let limit = node.configuration.writeTimeout
      let left = limit - (now - lastWriteProgressAt)
      guard left <= .zero else { return armWriteTimer(left: left) }
      node.heuristics.writeTimeouts += 1
      abort(DisconnectReason(.writeTimeout, message: "the peer took nothing for \(limit)"))
    }
  }
}
