import Glibc

/// An IPv4 or IPv6 address, always in its canonical form: an IPv4 address mapped into IPv6 is the IPv4 one.
public struct IPAddress: Sendable, Hashable {
  // As numbers and not as an array: every connection's address is hashed, compared and copied many times. An IPv4 address
  // is the low half's last 32 bits.
  private let high: UInt64
  private let low: UInt64
  /// Whether it is an IPv4 address, mapped ones included.
  public let isV4: Bool
  /// An IPv6 link-local address's interface (`%eth0`), or nil.
  public let zone: String?

  /// From the four bytes of an IPv4 address as a number: 0x7F000001 is 127.0.0.1.
  package init(v4: UInt32) {
    self.init(0, UInt64(v4), isV4: true, nil)
  }

  /// From the halves of an IPv6 address as numbers.
  package init(high: UInt64, low: UInt64, zone: String? = nil) {
    if high == 0, low >> 32 == 0xFFFF {
      self.init(v4: UInt32(truncatingIfNeeded: low))
    } else {
      self.init(high, low, isV4: false, zone)
    }
  }

  private init(_ high: UInt64, _ low: UInt64, isV4: Bool, _ zone: String?) {
    self.high = high
    self.low = low
    self.isV4 = isV4
    self.zone = zone
  }

  /// From 4 or 16 bytes in network order; nil for any other number.
  public init?(bytes: [UInt8], zone: String? = nil) {
    func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    switch bytes.count {
    case 4: self.init(v4: UInt32(number(0..<4)))
    case 16: self.init(high: number(0..<8), low: number(8..<16), zone: zone)
    default: return nil
    }
  }

  /// `127.0.0.1`, `::1`, `fe80::1%eth0`; nil for anything else, names included.
  public init?(_ text: String) {
    if let four = IPAddress(v4Text: text.utf8[...]) {
      self = four
      return
    }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let host = parts.first.map(String.init), parts.count == 1 || !parts[1].isEmpty else { return nil }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return nil }
    self.init(bytes: withUnsafeBytes(of: &six) { Array($0) }, zone: parts.count > 1 ? String(parts[1]) : nil)
  }

  /// Four numbers of at most 255 without leading zeros, and nothing else, as inet_pton(3) has it.
  init?(v4Text text: Substring.UTF8View) {
    var address: UInt32 = 0
    var number: UInt32 = 0
    var digits = 0
    var dots = 0
    for byte in text {
      switch byte {
      case 48...57:
        if digits > 0, number == 0 { return nil }
        number = number * 10 + UInt32(byte - 48)
        digits += 1
        guard number <= 255 else { return nil }
      case 46:
        guard digits > 0, dots < 3 else { return nil }
        address = address << 8 | number
        (number, digits, dots) = (0, 0, dots + 1)
      default: return nil
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    self.init(v4: address << 8 | number)
  }

  /// `127.0.0.1`.
  public static let loopback = IPAddress(v4: 0x7F00_0001)

  /// 4 or 16 bytes in network order.
  public var bytes: [UInt8] {
    (isV4 ? 12..<16 : 0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(8 * (7 - $0 % 8))) }
  }

  /// Writes its 4 or 16 bytes in network order.
  package func write(to place: UnsafeMutableRawPointer) {
    if isV4 {
      place.storeBytes(of: UInt32(truncatingIfNeeded: low).bigEndian, as: UInt32.self)
    } else {
      place.storeBytes(of: high.bigEndian, as: UInt64.self)
      place.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
  }

  /// `127.0.0.0/8` or `::1`.
  public var isLoopback: Bool { isV4 ? low >> 24 == 127 : high == 0 && low == 1 }
  /// `0.0.0.0` or `::`: every address of the machine.
  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// The network a per-subnet limit counts by: the first 24 bits of an IPv4, the first 64 of an IPv6 address.
  public var subnet: [UInt8] { Array(bytes.prefix(isV4 ? 3 : 8)) }
}

extension IPAddress: CustomStringConvertible {
  /// As people write it, with its zone where it has one.
  public var description: String { isV4 ? Self.text(v4: low, port: nil) : six + (zone.map { "%\($0)" } ?? "") }

  private var six: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
      inet_ntop(AF_INET6, bytes, buffer.baseAddress!, socklen_t(buffer.count))
      return String(cString: buffer.baseAddress!)
    }
  }

  /// An IPv4 address with its port: what every connection is called by.
  func text(port: UInt16) -> String {
    isV4 ? Self.text(v4: low, port: port) : "[\(self)]:\(port)"
  }

  private static func text(v4 address: UInt64, port: UInt16?) -> String {
    String(unsafeUninitializedCapacity: 21) { buffer in
      var count = 0
      func put(_ byte: UInt8) {
        buffer[count] = byte
        count += 1
      }
      func put(_ number: Int) {
        var unit = 1
        while unit * 10 <= number { unit *= 10 }
        while unit > 0 {
          put(UInt8(48 + number / unit % 10))
          unit /= 10
        }
      }
      for shift in stride(from: 24, through: 0, by: -8) {
        put(Int(address >> UInt64(shift) & 255))
        if shift > 0 { put(46 as UInt8) }
      }
      if let port {
        put(58 as UInt8)
        put(Int(port))
      }
      return count
    }
  }
}
