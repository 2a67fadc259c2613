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
    /// Numbers that a script gave away and nobody saw a message of, by its node.
    var skipped: [UInt32: Int] = [:]
    var scripts: Set<UInt32> = []
    var wentBack: Set<UInt32> = []
  }
  private let state = Mutex(State())

  /// That node is a script.
  func addScript(_ node: UInt32) { state.withLock { _ = $0.scripts.insert(node) } }

  /// So many messages of a node are missing on a connection that goes on. Only a script that was ended over its budget between
  /// a number and its message may bring that about; whether it was, ``unexplained(_:kills:)`` tells.
  func missing(_ count: Int, from sender: UInt32) -> Bool {
    state.withLock { state in
      guard state.scripts.contains(sender) else { return false }
      state.skipped[sender, default: 0] += count
      return true
    }
  }

  /// A rollback could not bring that node's state back, and said so: the code before goes on with its own, older one.
  func noteStateLoss(_ node: UInt32) { state.withLock { _ = $0.wentBack.insert(node) } }

  /// Whether that node's script may have given numbers away twice.
  func mayRepeatNumbers(_ node: UInt32) -> Bool { state.withLock { $0.wentBack.contains(node) } }

  /// What is wrong with a script's numbers; each of its runs that was ended accounts for one. Nil: nothing.
  func unexplained(_ node: UInt32, kills: UInt64) -> String? {
    let count = state.withLock { $0.skipped[node] ?? 0 }
    guard count > kills else { return nil }
    return "\(count) messages of node \(node) are missing, and \(kills) of its runs were ended over their budget"
  }

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
