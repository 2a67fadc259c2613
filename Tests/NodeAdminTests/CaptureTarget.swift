import FuzzSupport
import NodeCore
import NodeEngine

@testable import NodeAdmin

/// What captures write, read by another reader: blocks in order, checksums right, each byte in its place.
enum CaptureTarget {
  private static let addresses =
    [
      "127.0.0.1:4000", "10.0.0.255:65535", "[fe80::1:2]:80", "unix:/run/a.sock", "host.name:1",
      "unix:/" + String(repeating: "ü", count: 50),
    ]
    .map { try! PeerAddress(parsing: $0) }

  static var target: FuzzTarget {
    FuzzTarget(
      "capture", count: 500,
      seeds: (0..<12 as Range<UInt8>).map { [$0, $0 / 3, $0, 0, 0, 1, 200, $0, 5, 97, 98, 99, 1, 2, 3, 4] } + [
        [0, 0, 0, 255, 0, 1, 200, 1, 3, 0xE2, 0x82, 0xAC, 1], [1, 1, 1, 0, 255, 1, 200, 1, 3, 97, 98, 99, 1],
      ]
    ) { input in
      guard input.count > 9 else { return nil }
      let name = String(decoding: input[9...].prefix(Int(input[8])), as: UTF8.self)
      // Long names and long messages without long inputs.
      let node = input[3] > 250 ? String(repeating: name, count: 66_000 / max(1, name.utf8.count)) : name
      let connection = TappedConnection(
        node: node, nodeID: number(input[0...]), id: ConnectionID(rawValue: number(input[2...])),
        side: input[0] % 2 == 0 ? .initiator : .responder, local: addresses[Int(input[1]) % addresses.count],
        peer: addresses[Int(input[2]) % addresses.count])
      let payload = Array(repeating: Array(input[9...]), count: input[4] > 250 ? 70_000 / input.count : 1).flatMap { $0 }
      let before = input[5] % 2 == 0 ? UInt64(input[5]) : number(input[1...])
      let messages: [TappedMessages] = [
        .handshake, .raw, .whole(1...(1 + number(input[3...]) >> 1)), .part(of: number(input[4...])),
      ]
      let events: [CaptureRecord.Event] = [
        .opened, .data(isInbound: input[6] % 2 == 0, payload, messages[Int(input[7]) % 4]), .closed,
      ]
      var file = PcapngBlocks.sectionHeader(application: node) + PcapngBlocks.interface(name: node)
      var expected: UInt64 = 0
      for event in events {
        let record = CaptureRecord(
          connection: connection, nanoseconds: number(input[0...]), received: before, sent: before &+ 7, event: event)
        expected += record.packets
        file += CapturedPackets(record, interface: 0).blocks.joined()
      }
      file += PcapngBlocks.statistics(interface: 0, nanoseconds: 1, received: number(input[1...]), leftOut: number(input[2...]))
      let packets: [PcapngReader.Packet]
      do { packets = try PcapngReader(file).packets } catch { return "\(error)" }
      if packets.count != expected { return "\(packets.count) packets where \(expected) were counted" }
      var next = 1 &+ UInt32(truncatingIfNeeded: input[6] % 2 == 0 ? before : before &+ 7)
      for packet in packets where packet.flags == SyntheticTCP.push | SyntheticTCP.ack {
        if packet.sequence != next { return "a gap at \(packet.sequence)" }
        next &+= UInt32(packet.payload.count)
      }
      if packets.flatMap(\.payload) != payload { return "other bytes" }
      if packets.contains(where: { $0.comment.contains("\u{FFFD}") }) && !node.contains("\u{FFFD}") {
        return "a comment that is no text"
      }
      return nil
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
