/// A send that found no room: it stands in the queue of those that wait, and is served in its turn, whatever the others
/// do meanwhile.
package final class WaitingSend {
  private let connection: Connection
  private let bytes: [UInt8]
  private let isFramed: Bool
  private let completion: (SendOutcome) -> Void
  private var token: WaitToken?

  /// - Parameters:
  ///   - isFramed: a message, as in ``Connection/send(_:)-(UnsafeRawBufferPointer)``; otherwise raw bytes, as in ``Connection/write(_:)-(UnsafeRawBufferPointer)``.
  ///   - completion: called once, later: `queued`, `closed` or `refused`.
  package init(_ connection: Connection, _ bytes: [UInt8], isFramed: Bool, completion: @escaping (SendOutcome) -> Void) {
    self.connection = connection
    self.bytes = bytes
    self.isFramed = isFramed
    self.completion = completion
    token = connection.waitForTurn { [self] isOpen in isOpen ? attempt() : finish(.closed) }
  }

  /// Nothing will be sent and nobody told.
  package func cancel() {
    token?.cancel()
    token = nil
  }

  private func attempt() -> Bool {
    let outcome = bytes.withUnsafeBytes { isFramed ? connection.send($0) : connection.write($0) }
    return outcome != .wait && finish(outcome)
  }

  private func finish(_ outcome: SendOutcome) -> Bool {
    token = nil
    completion(outcome)
    return true
  }
}
