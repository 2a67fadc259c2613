import CEpoll
import Glibc

/// How a loop reads from and writes to several sockets.
enum SocketCalls: Sendable {
  /// Entering the system once for all of them (io_uring), where it has that and lets us.
  case together
  case oneByOne

  /// `together`, or `oneByOne` where the environment's `MOONPEER_IO_URING` is 0: a sandbox may end who only asks.
  static let standard: SocketCalls = getenv("MOONPEER_IO_URING").map { String(cString: $0) } == "0" ? .oneByOne : .together
}

/// Receives from and sends to several sockets. Entering the system is a good part of what a short read or write costs; with
/// io_uring it is entered once for all.
///
/// A ring belongs to one thread: used on the loop only, once it is open.
package final class SocketRing {
  /// How many calls it takes at once. Who waits for others is to wait for few.
  static let capacity = Int(CEPOLL_CALLS)
  /// For fewer it makes no difference, and each is the sooner done alone.
  static let worthwhile = Int(CEPOLL_WORTHWHILE)

  /// Whether calls are made together in this process.
  package static let isAvailable: Bool = {
    let ring = SocketRing()
    ring.open(.standard)
    defer { ring.close() }
    return ring.isOpen
  }()

  @exclusivity(unchecked) private var ring: OpaquePointer?

  init() {}

  /// On the thread that will use it.
  func open(_ calls: SocketCalls) {
    if calls == .together { ring = cepoll_ring_create() }
  }

  /// Calls are made one by one from now on.
  func close() {
    cepoll_ring_destroy(ring)
    ring = nil
  }

  var isOpen: Bool { ring != nil }

  /// Each of another socket; each has its result afterwards.
  func receive(_ calls: UnsafeMutablePointer<cepoll_call>, _ count: Int) { cepoll_receive(ring, calls, Int32(count)) }
  func send(_ calls: UnsafeMutablePointer<cepoll_call>, _ count: Int) { cepoll_send(ring, calls, Int32(count)) }
}
