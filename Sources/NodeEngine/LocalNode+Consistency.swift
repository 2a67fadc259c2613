import NodeCore

/// The first invariant, asked of a running node; for tests and the chaos test's watchdogs.
extension LocalNode {
  /// What does not add up between registered connections, reservations and the counts per address; nil: all is well.
  package var inconsistency: String? {
    if let problem = admission.inconsistency { return problem }
    let registered = Set(live.values.map(\.address))
    if registered.count != live.count { return "two connections share an address" }
    if registered != Set(byAddress.keys) { return "the two indexes differ" }
    if admission.connected != live.count { return "\(admission.connected) reservations for \(live.count) connections" }
    return nil
  }

  /// What is left of a node that has stopped: should be nothing; nil: it is.
  package var remains: String? {
    guard phase == .stopped else { return "it has not stopped" }
    let left: [(String, Int)] = [
      ("reservations", admission.total), ("connections", live.count), ("addresses", byAddress.count),
      ("set-ups", settingUp.count), ("dials", dials.count), ("sockets that come in", entering), ("listeners", listeners.count),
      ("waiters", shutdownWaiters.count),
    ].filter { $0.1 != 0 }
    return left.isEmpty ? nil : left.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
  }
}

extension Node {
  /// As ``LocalNode/inconsistency``.
  package func inconsistency() -> String? { local.inconsistency }
  /// As ``LocalNode/remains``.
  package func remains() -> String? { local.remains }
}
