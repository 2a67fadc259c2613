import Glibc
import NodeCore

/// An address as the system's calls take and give it.
///
/// By the places of its fields (ip(7), ipv6(7), unix(7)): their Swift names belong to whichever module imported them first.
struct SystemAddress {
  private var storage = sockaddr_storage()
  private(set) var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  /// Room for one that the system gives.
  init() {}

  /// For a socket; a name has none before it is resolved.
  init(_ address: PeerAddress) throws(NodeError) {
    var size = 0
    switch address {
    case .ip(let ip, let port):
      var scope: UInt32 = 0
      if let zone = ip.zone {
        scope = if_nametoindex(zone)
        guard scope != 0 else {
          throw NodeError(code: .address, message: "\(address) cannot be used here: there is no interface \"\(zone)\"")
        }
      }
      withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.storeBytes(of: UInt16(ip.isV4 ? AF_INET : AF_INET6), as: UInt16.self)
        bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
        ip.write(to: bytes.baseAddress! + (ip.isV4 ? 4 : 8))
        if !ip.isV4 { bytes.storeBytes(of: scope, toByteOffset: 24, as: UInt32.self) }
        size = ip.isV4 ? 16 : 28
      }
    case .unix(let path):
      // The path and a zero byte; PeerAddress sees to it that it fits, others may not.
      guard path.utf8.count <= 107 else {
        throw NodeError(code: .address, message: "\(address) cannot be used here: the path is longer than 107 bytes")
      }
      withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.storeBytes(of: UInt16(AF_UNIX), as: UInt16.self)
        for (index, byte) in path.utf8.enumerated() { bytes[2 + index] = byte }
        size = 110
      }
    case .name:
      throw NodeError(code: .address, message: "\(address) is a name; an IP address or a Unix socket is needed here")
    }
    length = socklen_t(size)
  }

  var family: Int32 { withUnsafeBytes(of: storage) { Int32($0.loadUnaligned(as: UInt16.self)) } }

  /// nil for a Unix socket without a name, and for families there are none of here.
  var peer: PeerAddress? {
    withUnsafeBytes(of: storage) { bytes -> PeerAddress? in
      let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
      switch family {
      case AF_INET:
        return .ip(IPAddress(v4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))), port: port)
      case AF_INET6:
        let scope = bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self)
        let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        return .ip(IPAddress(high: high, low: low, zone: scope == 0 ? nil : Self.zone(scope)), port: port)
      case AF_UNIX:
        let path = bytes[2..<max(2, Int(length))].prefix { $0 != 0 }
        return path.isEmpty ? nil : .unix(String(decoding: path, as: UTF8.self))
      default: return nil
      }
    }
  }

  private static func zone(_ scope: UInt32) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { name in
      if_indextoname(scope, name.baseAddress!) == nil ? nil : String(cString: name.baseAddress!)
    }
  }

  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  /// For a call that fills it in.
  mutating func fill<R>(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> R) -> R {
    length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        withUnsafeMutablePointer(to: &length) { body(address, $0) }
      }
    }
  }

  /// A socket's own end.
  static func local(_ descriptor: Int32) -> PeerAddress? {
    var address = SystemAddress()
    return address.fill { getsockname(descriptor, $0, $1) } == 0 ? address.peer : nil
  }
}
