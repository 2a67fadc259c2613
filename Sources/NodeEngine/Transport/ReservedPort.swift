import Glibc
package import NodeCore

/// Keeps the port of a listener that is gone for the one that will come back: else the kernel may give it to any
/// connection that somebody dials. Who connects meanwhile is refused, as if nobody were there.
package final class ReservedPort: Sendable {
  private let descriptor: Int32

  /// Nil where there is nothing to keep (a Unix socket), or the port is taken already.
  package init?(_ address: PeerAddress) {
    guard address.ip != nil, let local = try? SystemAddress(address), let descriptor = try? SystemSocket.open(for: local)
    else { return nil }
    // Bound and not listening, both with SO_REUSEADDR: so the listener may bind it again beside this socket.
    guard
      SystemSocket.set(descriptor, SO_REUSEADDR, 1) == 0, local.withPointer({ Glibc.bind(descriptor, $0, $1) }) == 0
    else {
      Glibc.close(descriptor)
      return nil
    }
    self.descriptor = descriptor
  }

  deinit { Glibc.close(descriptor) }
}
