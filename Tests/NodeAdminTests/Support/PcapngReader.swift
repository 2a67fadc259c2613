import Foundation

/// Reads what a capture writes, by the rules of pcapng, IP and TCP, and refuses what breaks one of them.
struct PcapngReader {
  struct Packet {
    var interface: String
    var nanoseconds: UInt64
    var comment: String
    var isInbound: Bool
    var source: String
    var target: String
    var sequence: UInt32
    var acknowledged: UInt32
    var flags: UInt8
    var payload: [UInt8]
  }
  private(set) var packets: [Packet] = []
  /// Per interface: packets, and how many of them were left out.
  private(set) var statistics: [String: (received: UInt64, leftOut: UInt64)] = [:]
  private var interfaces: [String] = []
  private var bytes: [UInt8]

  init(_ path: String) throws { try self.init(Array(try Data(contentsOf: URL(fileURLWithPath: path)))) }

  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    var place = 0
    while place < bytes.count {
      let (type, length) = (number(UInt32.self, place), Int(number(UInt32.self, place + 4)))
      guard length % 4 == 0, place + length <= bytes.count, number(UInt32.self, place + length - 4) == UInt32(length) else {
        throw NotSo(description: "a block's lengths differ at \(place)")
      }
      try read(type, place + 8..<place + length - 4, isFirst: place == 0)
      place += length
    }
  }

  /// What one end sent to the other, by sequence numbers, which must have no gap.
  func stream(from source: String, to target: String) throws -> [UInt8] {
    var result: [UInt8] = []
    for packet in packets where packet.source == source && packet.target == target && !packet.payload.isEmpty {
      guard Int(packet.sequence) == result.count + 1 else { throw NotSo(description: "a gap before \(packet.comment)") }
      result += packet.payload
    }
    return result
  }

  private func number<T: FixedWidthInteger>(_ type: T.Type, _ place: Int) -> T {
    T(littleEndian: bytes[place..<place + MemoryLayout<T>.size].withUnsafeBytes { $0.loadUnaligned(as: T.self) })
  }

  private mutating func read(_ type: UInt32, _ body: Range<Int>, isFirst: Bool) throws {
    switch type {
    case 0x0A0D_0D0A:
      guard isFirst, number(UInt32.self, body.lowerBound) == 0x1A2B_3C4D else { throw NotSo(description: "no section") }
    case 1:
      let options = try options(body.lowerBound + 8..<body.upperBound)
      guard number(UInt16.self, body.lowerBound) == 101, options[9] == [9] else { throw NotSo(description: "the interface") }
      interfaces.append(String(decoding: options[2] ?? [], as: UTF8.self))
    case 6: try readPacket(body)
    case 5:
      let options = try options(body.lowerBound + 12..<body.upperBound)
      func count(_ code: UInt16) -> UInt64 { (options[code] ?? []).reversed().reduce(0) { $0 << 8 | UInt64($1) } }
      statistics[interfaces[Int(number(UInt32.self, body.lowerBound))]] = (count(4), count(5))
    default: throw NotSo(description: "a block of type \(type)")
    }
  }

  private func options(_ range: Range<Int>) throws -> [UInt16: [UInt8]] {
    var result: [UInt16: [UInt8]] = [:]
    var place = range.lowerBound
    while place < range.upperBound {
      let (code, count) = (number(UInt16.self, place), Int(number(UInt16.self, place + 2)))
      if code == 0 { return result }
      result[code] = Array(bytes[place + 4..<place + 4 + count])
      place += 4 + (count + 3) / 4 * 4
    }
    throw NotSo(description: "options without an end")
  }

  private mutating func readPacket(_ body: Range<Int>) throws {
    let start = body.lowerBound
    let count = Int(number(UInt32.self, start + 12))
    let options = try options(start + 20 + (count + 3) / 4 * 4..<body.upperBound)
    let packet = Array(bytes[start + 20..<start + 20 + count])
    let isV4 = packet[0] >> 4 == 4
    let addressSize = isV4 ? 4 : 16
    let header = isV4 ? 20 : 40
    let total = isV4 ? Int(packet[2]) << 8 | Int(packet[3]) : 40 + (Int(packet[4]) << 8 | Int(packet[5]))
    guard total == count, packet[isV4 ? 9 : 6] == 6 else { throw NotSo(description: "the IP header of packet \(packets.count)") }
    let first = isV4 ? 12 : 8
    let addresses = Array(packet[first..<first + 2 * addressSize])
    let tcp = Array(packet[header...])
    // A right checksum makes the sum over everything come out as zero (RFC 1071).
    if isV4, Self.sum(Array(packet[..<20])) != 0xFFFF { throw NotSo(description: "IP checksum") }
    let pseudo = addresses + [0, 6, UInt8(tcp.count >> 8), UInt8(tcp.count & 255)]
    if Self.sum(pseudo + tcp) != 0xFFFF { throw NotSo(description: "TCP checksum") }
    func end(_ address: ArraySlice<UInt8>, _ port: Int) -> String {
      address.map(String.init).joined(separator: ".") + ":\(Int(tcp[port]) << 8 | Int(tcp[port + 1]))"
    }
    func big(_ place: Int) -> UInt32 { tcp[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    packets.append(
      Packet(
        interface: interfaces[Int(number(UInt32.self, start))],
        nanoseconds: UInt64(number(UInt32.self, start + 4)) << 32 | UInt64(number(UInt32.self, start + 8)),
        comment: String(decoding: options[1] ?? [], as: UTF8.self), isInbound: options[2]?.first == 1,
        source: end(addresses.prefix(addressSize), 0), target: end(addresses.suffix(addressSize), 2), sequence: big(4),
        acknowledged: big(8), flags: tcp[13], payload: Array(tcp[20...])))
  }

  private static func sum(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = 0
    for (index, byte) in bytes.enumerated() { sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte) }
    while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
    return sum
  }
}
