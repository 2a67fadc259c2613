import Glibc
import NIOCore
import NodeCore

extension PeerAddress {
  /// For a socket; a name has none before it is resolved.
  func socketAddress() throws(NodeError) -> SocketAddress {
    do {
      switch self {
      case .ip(let address, let port): return try SocketAddress(ipAddress: "\(address)", port: Int(port))
      case .unix(let path): return try SocketAddress(unixDomainSocketPath: path)
      case .name: break
      }
    } catch {
      throw NodeError(code: .address, message: "\(self) cannot be used as an address here: \(error)", cause: error)
    }
    throw NodeError(code: .address, message: "\(self) is a name; an IP address or a Unix socket is needed here")
  }

  init?(_ address: SocketAddress?) {
    guard let address else { return nil }
    if let path = address.pathname {
      self = .unix(path)
      return
    }
    guard let text = address.ipAddress, let ip = IPAddress(text), let port = address.port else { return nil }
    self = .ip(ip, port: UInt16(port))
  }
}

extension NodeError {
  /// A system error in our words: what, where, what to do.
  static func system(_ error: any Error, _ what: String, _ address: PeerAddress) -> NodeError {
    let number = (error as? IOError)?.errnoCode ?? 0
    func made(_ code: Code, _ message: String) -> NodeError {
      NodeError(code: code, message: message, cause: error)
    }
    switch number {
    case EADDRINUSE:
      if case .ip(_, port: 0) = address {
        return made(
          .addressInUse,
          "cannot \(what) \(address): the system has no port left; there are too many sockets, or too many that closed just now")
      }
      return made(
        .addressInUse, "cannot \(what) \(address): the address is in use; choose another port (0 lets the system choose)")
    case EADDRNOTAVAIL where what == "connect to":
      return made(
        .address,
        "cannot connect to \(address): there is no address here to do it from; local_address must be one of this machine's, and its ports are not endless"
      )
    case EADDRNOTAVAIL:
      return made(
        .address,
        "cannot \(what) \(address): this machine has no such address; use one of its own (ip address lists them), 127.0.0.1 for this machine alone, 0.0.0.0 or [::] for all"
      )
    case EACCES, EPERM: return made(.address, "cannot \(what) \(address): permission denied; ports below 1024 need privileges")
    case ECONNREFUSED: return made(.refused, "cannot \(what) \(address): the connection was refused; nobody listens there")
    case ENOENT: return made(.refused, "cannot \(what) \(address): there is no such socket file or folder")
    case ETIMEDOUT: return made(.timeout, "cannot \(what) \(address): it did not answer in time")
    case ENETUNREACH, EHOSTUNREACH: return made(.refused, "cannot \(what) \(address): it cannot be reached from here")
    case ECONNRESET: return made(.refused, "cannot \(what) \(address): the connection was reset")
    case EMFILE, ENFILE:
      return made(.limit, "cannot \(what) \(address): no file descriptors are left; allow more before the start: ulimit -n")
    default: break
    }
    if case .connectTimeout(let amount)? = error as? ChannelError {
      return made(.timeout, "cannot \(what) \(address): it did not answer within \(Double(amount.nanoseconds) / 1e9) s")
    }
    return made(.system, "cannot \(what) \(address): \(error)")
  }
}
