import Synchronization

/// What was sent and what was handled, connection by connection: both of its ends have to have their say.
final class BalanceSheet: Sendable {
  struct Totals {
    var connections = 0
    var sent = 0
    var handled = 0
    /// Sent, and not handled when the connection ended: in the kernel, in a buffer, or dropped by the policy.
    var unhandled = 0
  }
  private struct Half { var sent, handled: Int }
  private struct State {
    var halves: [EndKey: Half] = [:]
    var totals = Totals()
  }
  private let state = Mutex(State())

  /// One end is over. Gives what is wrong between the two, or nil.
  func ended(_ end: EndKey, peer: EndKey, sent: Int, handled: Int) -> String? {
    state.withLock { state in
      guard let other = state.halves.removeValue(forKey: peer) else {
        state.halves[end] = Half(sent: sent, handled: handled)
        return nil
      }
      state.totals.connections += 1
      state.totals.sent += sent + other.sent
      state.totals.handled += handled + other.handled
      state.totals.unhandled += sent - other.handled + other.sent - handled
      guard handled <= other.sent else { return "\(end) handled \(handled) messages of \(peer), which sent \(other.sent)" }
      guard other.handled <= sent else { return "\(peer) handled \(other.handled) messages of \(end), which sent \(sent)" }
      return nil
    }
  }

  /// One end will say nothing any more.
  func crashed(_ end: EndKey, peer: EndKey) {
    state.withLock { _ = $0.halves.removeValue(forKey: peer) }
  }

  var totals: Totals { state.withLock { $0.totals } }
  /// Ends whose other end never came up, or went with a crash.
  var single: Int { state.withLock { $0.halves.count } }
}
