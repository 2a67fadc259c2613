import Logging
import NodeCore

/// Slow handshakes make way. The budget of set-ups is one for all peers: whoever opens `max_connecting` connections and says
/// nothing would keep everybody else in the kernel's queue for `handshake_timeout`, again and again.
///
/// So while the budget is used up and somebody waits to be accepted, inbound set-ups that have had a quarter of
/// `handshake_timeout` and still wait for their peer are ended, the oldest first, at most half of the budget at a time. An
/// honest peer that is slow has that quarter at least, and all of its time wherever nobody waits.
extension LocalNode {
  private var grace: Duration { configuration.handshakeTimeout / 4 }

  /// Called whenever the room for accepts has changed.
  func noteCrowding() {
    guard isCrowded, crowdTimer == nil else { return }
    crowdTimer = scheduler.schedule(after: grace) { [self] in
      crowdTimer = nil
      if isCrowded, listeners.contains(where: \.hasWaiting) { makeWay() }
      noteCrowding()
    }
  }

  private var isCrowded: Bool {
    phase == .running && !listeners.isEmpty && hooks.declared.contains(.handshake)
      && admission.connecting + entering >= admission.limits.connecting
  }

  private func makeWay() {
    let now = scheduler.now
    // What the node itself takes its time for is not the peer's fault.
    let slow = settingUp.values.filter { $0.side == .responder && $0.hasReader && now - $0.lastProgressAt >= grace }
    for connection in slow.sorted(by: { $0.id < $1.id }).prefix(max(1, admission.limits.connecting / 2)) {
      heuristics.handshakeTimeouts += 1
      let message = "the handshake with \(connection.address) took longer than \(grace) while others waited for its place"
      rejectSetUp(connection, NodeError(code: .timeout, message: message))
    }
  }
}
