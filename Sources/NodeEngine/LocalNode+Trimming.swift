/// A connection that streams keeps its large buffer from tick to tick, or each would pay for fresh memory; one that has
/// fallen silent gives it back.
extension LocalNode {
  private static let trimInterval = Duration.milliseconds(250)

  func trimLater(_ connection: Connection) {
    guard !connection.isTrimScheduled else { return }
    connection.isTrimScheduled = true
    connection.queuedAtTrim = connection.queuedTotal
    toTrim.append(connection)
    if toTrim.count == 1 { scheduleTrim() }
  }

  private func scheduleTrim() {
    trimTimer = scheduler.schedule(after: Self.trimInterval) { [self] in trim() }
  }

  private func trim() {
    trimTimer = nil
    toTrim.removeAll { connection in
      guard connection.phase != .gone else { return true }
      guard connection.queuedAtTrim == connection.queuedTotal else {
        connection.queuedAtTrim = connection.queuedTotal
        return false
      }
      connection.outgoing.releaseIfIdle()
      connection.relayed?.releaseIfIdle()
      connection.isTrimScheduled = false
      return true
    }
    if !toTrim.isEmpty { scheduleTrim() }
  }

  func stopTrimming() {
    trimTimer?.cancel()
    trimTimer = nil
    toTrim = []
  }
}
