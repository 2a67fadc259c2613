import NodeCore
import Testing

struct NeverHappened: Error, CustomStringConvertible {
  let what: String
  var description: String { "it did not come to this: \(what)" }
}

/// Asks again and again until the answer is yes; the bound is only there so that a failure ends.
func eventually(
  _ what: String, within bound: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
  let end = ContinuousClock.now + bound
  while try await !condition() {
    guard ContinuousClock.now < end else { throw NeverHappened(what: what) }
    try await Task.sleep(for: .milliseconds(1))
  }
}

/// A child that another test is starting holds all sockets of the process until it runs its program.
func eventuallyNobodyListens(at address: PeerAddress) async throws {
  try await eventually("nobody listens at \(address)") { (try? RawSocket(to: address)) == nil }
}
