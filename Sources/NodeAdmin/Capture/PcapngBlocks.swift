/// Blocks of a pcapng file, as draft-ietf-opsawg-pcapng has them; all numbers little-endian.
enum PcapngBlocks {
  /// Packets begin with their IPv4 or IPv6 header (LINKTYPE_RAW, <https://www.tcpdump.org/linktypes.html>).
  static let rawIP: UInt16 = 101

  static func sectionHeader(application: String) -> [UInt8] {
    var body = BlockBytes()
    body.add(UInt32(0x1A2B_3C4D))
    body.add(UInt16(1))
    body.add(UInt16(0))
    // The section's length is not known beforehand.
    body.add(UInt64.max)
    body.addOption(4, text: application)
    body.endOptions()
    return body.block(0x0A0D_0D0A)
  }

  /// An interface per node; times are in nanoseconds.
  static func interface(name: String) -> [UInt8] {
    var body = BlockBytes()
    body.add(rawIP)
    body.add(UInt16(0))
    // No packet is cut short.
    body.add(UInt32(0))
    body.addOption(2, text: name)
    body.addOption(9, bytes: [9])
    body.endOptions()
    return body.block(1)
  }

  static func packet(
    interface: UInt32, nanoseconds: UInt64, isInbound: Bool, comment: String, _ packet: [UInt8]
  ) -> [UInt8] {
    var body = BlockBytes()
    body.add(interface)
    body.add(UInt32(truncatingIfNeeded: nanoseconds >> 32))
    body.add(UInt32(truncatingIfNeeded: nanoseconds))
    body.add(UInt32(packet.count))
    body.add(UInt32(packet.count))
    body.addPadded(packet)
    body.addOption(1, text: comment)
    body.addOption(2, bytes: [isInbound ? 1 : 2, 0, 0, 0])
    body.endOptions()
    return body.block(6)
  }

  /// At the end: how many packets there were, and how many of them are not in the file.
  static func statistics(interface: UInt32, nanoseconds: UInt64, received: UInt64, leftOut: UInt64) -> [UInt8] {
    var body = BlockBytes()
    body.add(interface)
    body.add(UInt32(truncatingIfNeeded: nanoseconds >> 32))
    body.add(UInt32(truncatingIfNeeded: nanoseconds))
    body.addOption(4, bytes: BlockBytes.bytes(of: received))
    body.addOption(5, bytes: BlockBytes.bytes(of: leftOut))
    body.endOptions()
    return body.block(5)
  }
}

private struct BlockBytes {
  private var bytes: [UInt8] = []

  static func bytes<T: FixedWidthInteger>(of number: T) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }

  mutating func add<T: FixedWidthInteger>(_ number: T) { bytes += Self.bytes(of: number) }

  mutating func addPadded(_ more: [UInt8]) {
    bytes += more
    while bytes.count % 4 != 0 { bytes.append(0) }
  }

  /// Text that is too long for an option ends with its last whole character.
  mutating func addOption(_ code: UInt16, text: String) {
    var bytes = Array(text.utf8.prefix(0xFFFF + 1))
    if bytes.count > 0xFFFF {
      while bytes.removeLast() & 0xC0 == 0x80 {}
    }
    addOption(code, bytes: bytes)
  }

  mutating func addOption(_ code: UInt16, bytes value: [UInt8]) {
    add(code)
    add(UInt16(value.count))
    addPadded(value)
  }

  mutating func endOptions() { add(UInt32(0)) }

  /// With its type, and its length in front and behind.
  func block(_ type: UInt32) -> [UInt8] {
    let length = UInt32(bytes.count + 12)
    return Self.bytes(of: type) + Self.bytes(of: length) + bytes + Self.bytes(of: length)
  }
}
