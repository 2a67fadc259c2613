import CEpoll
import Glibc
import NIOCore
import NodeCore

/// Calls on a descriptor, with errors as numbers (0: none).
enum SystemSocket {
  /// A stream socket that does not block and is not inherited; throws an error to say of the address.
  static func open(for address: SystemAddress) throws(IOError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, type, 0)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
    // Messages leave at the end of a tick in one write: Nagle's algorithm has nothing to gather.
    if address.family != AF_UNIX { _ = set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
    return descriptor
  }

  static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Int32 {
    var value = value
    return setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 ? 0 : errno
  }

  static func set(_ descriptor: Int32, _ option: Int32, _ value: Int32) -> Int32 { set(descriptor, SOL_SOCKET, option, value) }

  static func set(_ descriptor: Int32, _ option: StreamOption) -> Int32 {
    switch option.name {
    case .nodelay: set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, option.amount)
    case .keepalive: set(descriptor, SO_KEEPALIVE, option.amount)
    case .sendBuffer: set(descriptor, SO_SNDBUF, option.amount)
    case .receiveBuffer: set(descriptor, SO_RCVBUF, option.amount)
    }
  }

  /// The error that a socket has come to; asking forgets it.
  static func pendingError(_ descriptor: Int32) -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &size) == 0 ? value : errno
  }

  /// Whether a read, or an accept, would find something now.
  static func isReadable(_ descriptor: Int32) -> Bool {
    var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&question, 1, 0) > 0
  }

  /// How many connections a listener's queue holds; 0 also where the system does not say (a Unix socket).
  static func waitingConnections(_ listener: Int32) -> Int { Int(cepoll_waiting(listener)) }

  /// The next close sends a reset. Fails on a Unix socket, which has none: its peer sees the end.
  static func resetOnClose(_ descriptor: Int32) {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }
}
