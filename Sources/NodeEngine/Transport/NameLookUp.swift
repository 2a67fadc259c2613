import Glibc
import NodeCore

/// The addresses of host names, by the system's own means.
enum NameLookUp {
  /// Blocks; empty where there is none.
  static func addresses(of name: String, _ port: UInt16) -> [PeerAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var found: [PeerAddress] = []
    var entry = list
    while let current = entry?.pointee {
      entry = current.ai_next
      guard let raw = current.ai_addr else { continue }
      // The fields of sockaddr_in and sockaddr_in6 by their place (ip(7), ipv6(7)): their Swift names belong to whichever
      // module imported them first.
      let start = UnsafeRawPointer(raw)
      let bytes: [UInt8]
      switch current.ai_family {
      case AF_INET: bytes = Array(UnsafeRawBufferPointer(start: start + 4, count: 4))
      case AF_INET6: bytes = Array(UnsafeRawBufferPointer(start: start + 8, count: 16))
      default: continue
      }
      if let address = IPAddress(bytes: bytes) { found.append(.ip(address, port: port)) }
    }
    return found
  }

  static func result(_ name: String, _ addresses: [PeerAddress]) -> Result<[PeerAddress], NodeError> {
    guard addresses.isEmpty else { return .success(addresses) }
    return .failure(NodeError(code: .resolve, message: "the host name \"\(name)\" has no address; check its spelling"))
  }
}
