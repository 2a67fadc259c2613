import Glibc
import NIOCore
import NodeCore

extension EpollStream {
  func close() {
    guard !isDead, !isDiscarding else { return }
    delegate = nil
    guard rest == nil else {
      // Bounded by the same time as the lingering.
      linger()
      return
    }
    // Nothing unread can be left then, so the kernel's own close is in order.
    if isEnded { return finish() }
    shutdown(descriptor, Int32(SHUT_WR))
    linger()
  }

  private func linger() {
    guard loop.lingering.begin() else { return finish() }
    discardFromNowOn()
    lingering = loop.timers.add(at: EpollLoop.clock() + loop.lingering.time.wholeNanoseconds) { [self] in finish() }
  }

  /// The last write of a stream that is being closed has left.
  func finishWriting() {
    if isEnded { return finish() }
    shutdown(descriptor, Int32(SHUT_WR))
  }

  func finish() {
    guard !isDead else { return }
    isDead = true
    if let lingering {
      lingering.cancel()
      loop.lingering.end()
    }
    lingering = nil
    rest = nil
    delegate = nil
    relay?.streamCloses()
    relay = nil
    loop.close(self)
  }

  /// The loop refused it, so it closes its socket by itself.
  func neverAdded() {
    finish()
    Glibc.close(descriptor)
  }

  func abort() {
    guard !isDead else { return }
    SystemSocket.resetOnClose(descriptor)
    finish()
  }

  /// The socket is of no use any more.
  func fail(_ error: Int32, _ call: String, _ kind: DisconnectReason.Kind) {
    die(.failed(call, error, else: kind))
  }

  func die(_ reason: DisconnectReason) {
    guard !isDead else { return }
    let delegate = delegate
    finish()
    delegate?.streamFailed(reason)
  }

  func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError) {
    guard !isDead, !isDiscarding else { throw .closed(remoteAddress) }
    let option = try StreamOption(name, value)
    let error = SystemSocket.set(descriptor, option)
    if error != 0 { throw .refusedOption(name, IOError(errnoCode: error, reason: "setsockopt")) }
  }
}

extension DisconnectReason {
  /// A system call's error: a reset where it means that, or `kind`.
  static func failed(_ call: String, _ error: Int32, else kind: Kind) -> DisconnectReason {
    let kind = error == ECONNRESET || error == EPIPE ? Kind.reset : kind
    return DisconnectReason(kind, message: "\(IOError(errnoCode: error, reason: call))")
  }
}
