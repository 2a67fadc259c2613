import Glibc

/// An IPv4 or IPv6 address, always in its canonical form: an IPv4 address mapped into IPv6 is the IPv4 one.
public struct IPAddress: Sendable, Hashable {
  /// 4 or 16 bytes in network order.
  public let bytes: [UInt8]
  /// An IPv6 link-local address's interface (`%eth0`), or nil.
  public let zone: String?

  /// From 4 or 16 bytes in network order; nil for any other number.
  public init?(bytes: [UInt8], zone: String? = nil) {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    let isMapped = bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
    self.bytes = isMapped ? Array(bytes[12...]) : bytes
    self.zone = isMapped ? nil : zone
  }

  /// `127.0.0.1`, `::1`, `fe80::1%eth0`; nil for anything else, names included.
  public init?(_ text: String) {
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let host = parts.first.map(String.init), parts.count == 1 || !parts[1].isEmpty else { return nil }
    var four = in_addr()
    if parts.count == 1, inet_pton(AF_INET, host, &four) == 1 {
      self.init(bytes: withUnsafeBytes(of: &four) { Array($0) })
      return
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return nil }
    self.init(bytes: withUnsafeBytes(of: &six) { Array($0) }, zone: parts.count > 1 ? String(parts[1]) : nil)
  }

  /// `127.0.0.1`.
  public static let loopback = IPAddress("127.0.0.1")!

  /// Whether it is an IPv4 address, mapped ones included.
  public var isV4: Bool { bytes.count == 4 }
  /// `127.0.0.0/8` or `::1`.
  public var isLoopback: Bool {
    isV4 ? bytes[0] == 127 : bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
  }
  /// `0.0.0.0` or `::`: every address of the machine.
  public var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }

  /// The network a per-subnet limit counts by: the first 24 bits of an IPv4, the first 64 of an IPv6 address.
  public var subnet: [UInt8] { Array(bytes.prefix(isV4 ? 3 : 8)) }
}

extension IPAddress: CustomStringConvertible {
  /// As people write it, with its zone where it has one.
  public var description: String {
    let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
      inet_ntop(isV4 ? AF_INET : AF_INET6, bytes, buffer.baseAddress!, socklen_t(buffer.count))
      return String(cString: buffer.baseAddress!)
    }
    return zone.map { "\(text)%\($0)" } ?? text
  }
}
