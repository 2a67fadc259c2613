import NodeCore
import NodeEngine

/// One end of a synthesised TCP connection.
struct CaptureEndpoint: Sendable, Hashable {
  /// 4 or 16 bytes.
  var ip: [UInt8]
  var port: UInt16
}

/// IP and TCP headers around bytes that were seen above the kernel, so that Wireshark can follow the stream. Sequence
/// numbers count the bytes as they were handed over; windows, options and retransmissions are not what was on the wire.
enum SyntheticTCP {
  static let fin: UInt8 = 1
  static let syn: UInt8 = 2
  static let push: UInt8 = 8
  static let ack: UInt8 = 16
  /// An IPv4 packet has at most 65,535 bytes; this leaves room for both headers, and is a multiple of what senders like.
  static let longestPayload = 32 << 10

  /// - Parameters:
  ///   - sequence: of the first byte.
  ///   - acknowledged: of the next byte that is expected from the other end.
  static func packet(
    from source: CaptureEndpoint, to target: CaptureEndpoint, sequence: UInt32, acknowledged: UInt32, flags: UInt8,
    _ payload: ArraySlice<UInt8>
  ) -> [UInt8] {
    var tcp: [UInt8] = []
    tcp.reserveCapacity(20 + payload.count)
    tcp += big(source.port) + big(target.port) + big(sequence) + big(acknowledged)
    tcp += [5 << 4, flags] + big(UInt16.max) + [0, 0, 0, 0]
    tcp += payload
    let length = UInt32(tcp.count)
    let pseudo = source.ip + target.ip + (source.ip.count == 4 ? [0, 6] + big(UInt16(length)) : big(length) + [0, 0, 0, 6])
    let sum = checksum(of: pseudo, tcp)
    tcp[16] = UInt8(sum >> 8)
    tcp[17] = UInt8(sum & 0xFF)
    return header(source.ip, target.ip, tcp.count) + tcp
  }

  private static func header(_ source: [UInt8], _ target: [UInt8], _ count: Int) -> [UInt8] {
    guard source.count == 4 else {
      return [0x60, 0, 0, 0] + big(UInt16(count)) + [6, 64] + source + target
    }
    var header: [UInt8] = [0x45, 0] + big(UInt16(count + 20)) + [0, 0, 0x40, 0, 64, 6, 0, 0] + source + target
    let sum = checksum(of: header, [])
    header[10] = UInt8(sum >> 8)
    header[11] = UInt8(sum & 0xFF)
    return header
  }

  /// RFC 1071; the first part has an even number of bytes.
  static func checksum(of first: [UInt8], _ second: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for part in [first, second] {
      var index = 0
      while index + 1 < part.count {
        sum += UInt64(part[index]) << 8 | UInt64(part[index + 1])
        index += 2
      }
      if index < part.count { sum += UInt64(part[index]) << 8 }
    }
    while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
    return ~UInt16(sum)
  }

  private static func big<T: FixedWidthInteger>(_ number: T) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
}

extension TappedConnection {
  /// This end and the peer's. A Unix socket has neither address nor port, so both are made up: the listening end is
  /// 127.1.x.y:1 with the node's number as x.y, the other 127.2.x.y and a port, from the connection's number.
  var endpoints: (local: CaptureEndpoint, peer: CaptureEndpoint) {
    if case .ip(let own, let ownPort) = local, case .ip(let other, let otherPort) = peer, own.isV4 == other.isV4 {
      return (CaptureEndpoint(ip: own.bytes, port: ownPort), CaptureEndpoint(ip: other.bytes, port: otherPort))
    }
    let listening = CaptureEndpoint(ip: [127, 1, UInt8(nodeID >> 8 & 255), UInt8(nodeID & 255)], port: 1)
    let (high, low) = id.rawValue.quotientAndRemainder(dividingBy: 60_000)
    let dialling = CaptureEndpoint(
      ip: [127, 2, UInt8((nodeID ^ high) >> 8 & 255), UInt8((nodeID ^ high) & 255)], port: UInt16(1024 + low))
    return side == .responder ? (listening, dialling) : (dialling, listening)
  }

  /// An IP connection within the process has both its ends here: the other one's view of it.
  var reversed: (PeerAddress, PeerAddress)? { local.port == nil ? nil : (peer, local) }
}
