/// A send that found no room: it stands in the queue of those that wait, and is served in its turn, whatever the others
/// do meanwhile.
package final class WaitingSend {
  private let send: () -> SendOutcome
  private let completion: (SendOutcome) -> Void
  private var token: WaitToken?

  /// - Parameters:
  ///   - send: sends it; called in its turn, and again where it says `wait`. What it sends is for its caller to hold.
  ///   - completion: called once, later: `queued`, `closed` or `refused`; not at all where it is cancelled before.
  package init(_ connection: Connection, _ send: @escaping () -> SendOutcome, completion: @escaping (SendOutcome) -> Void) {
    self.send = send
    self.completion = completion
    token = connection.waitForTurn { [self] isOpen in isOpen ? attempt() : finish(.closed) }
  }

  /// Nothing will be sent and nobody told.
  package func cancel() {
    token?.cancel()
    token = nil
  }

  private func attempt() -> Bool {
    let outcome = send()
    return outcome != .wait && finish(outcome)
  }

  private func finish(_ outcome: SendOutcome) -> Bool {
    token = nil
    completion(outcome)
    return true
  }
}
