import Glibc
import NodeCore
import NodeEngine

/// Turns records into blocks of the file. Belongs to the capture's thread.
final class CaptureWriter: @unchecked Sendable {
  // Unchecked: made before the thread starts, and used on it alone afterwards.

  private let descriptor: Int32
  private(set) var problem: String?
  private var interfaces: [String: UInt32] = [:]
  private var written: [String: UInt64] = [:]
  private var failed: UInt64 = 0
  private var lastTime: UInt64 = 0

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  func write(_ record: CaptureRecord) {
    lastTime = max(lastTime, record.nanoseconds)
    let node = record.connection.node
    if interfaces[node] == nil {
      interfaces[node] = UInt32(interfaces.count)
      write(PcapngBlocks.interface(name: node))
    }
    let packets = CapturedPackets(record, interface: interfaces[node]!)
    for block in packets.blocks {
      write(block)
      if problem == nil { written[node, default: 0] += 1 } else { failed += 1 }
    }
  }

  func write(_ bytes: [UInt8]) {
    guard problem == nil else { return }
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno != EINTR {
          problem = String(cString: strerror(errno))
          return
        }
      }
    }
  }

  /// Adds what became of each node's packets, and closes the file.
  func finish(_ leftOut: [String: UInt64]) -> PacketCapture.Summary {
    for (node, interface) in interfaces.sorted(by: { $0.value < $1.value }) {
      let missing = leftOut[node] ?? 0
      write(
        PcapngBlocks.statistics(
          interface: interface, nanoseconds: lastTime, received: (written[node] ?? 0) + missing, leftOut: missing))
    }
    close()
    return PacketCapture.Summary(
      packets: written.values.reduce(0, +), leftOut: leftOut.values.reduce(failed, +), problem: problem)
  }

  func close() {
    Glibc.close(descriptor)
  }
}

/// The packets that a record becomes: TCP's opening and end are made up like its headers.
struct CapturedPackets {
  private(set) var blocks: [[UInt8]] = []
  private let record: CaptureRecord
  private let interface: UInt32

  init(_ record: CaptureRecord, interface: UInt32) {
    self.record = record
    self.interface = interface
    let isInitiator = record.connection.side == .initiator
    switch record.event {
    case .opened:
      // Who dialled begins: both count their bytes from 1, behind the opening.
      add(isInbound: !isInitiator, flags: SyntheticTCP.syn, sequence: 0, acknowledged: 0, "opened")
      add(isInbound: isInitiator, flags: SyntheticTCP.syn | SyntheticTCP.ack, sequence: 0, acknowledged: 1, "opened")
      add(isInbound: !isInitiator, flags: SyntheticTCP.ack, sequence: 1, acknowledged: 1, "opened")
    case .data(let isInbound, let bytes, let messages):
      var sequence = 1 &+ UInt32(truncatingIfNeeded: isInbound ? record.received : record.sent)
      let acknowledged = 1 &+ UInt32(truncatingIfNeeded: isInbound ? record.sent : record.received)
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = rest.prefix(SyntheticTCP.longestPayload)
        rest = rest.dropFirst(part.count)
        add(
          isInbound: isInbound, flags: SyntheticTCP.push | SyntheticTCP.ack, sequence: sequence, acknowledged: acknowledged,
          messages.words, part)
        sequence &+= UInt32(part.count)
      }
    case .closed:
      let (received, sent) = (UInt32(truncatingIfNeeded: record.received), UInt32(truncatingIfNeeded: record.sent))
      let flags = SyntheticTCP.fin | SyntheticTCP.ack
      add(isInbound: false, flags: flags, sequence: 1 &+ sent, acknowledged: 1 &+ received, "closed")
      add(isInbound: true, flags: flags, sequence: 1 &+ received, acknowledged: 2 &+ sent, "closed")
      add(isInbound: false, flags: SyntheticTCP.ack, sequence: 2 &+ sent, acknowledged: 2 &+ received, "closed")
    }
  }

  private mutating func add(
    isInbound: Bool, flags: UInt8, sequence: UInt32, acknowledged: UInt32, _ words: String, _ payload: ArraySlice<UInt8> = []
  ) {
    let connection = record.connection
    let (local, peer) = connection.endpoints
    let packet = SyntheticTCP.packet(
      from: isInbound ? peer : local, to: isInbound ? local : peer, sequence: sequence, acknowledged: acknowledged,
      flags: flags, payload)
    var comment = "\(connection.node) conn \(connection.id) \(isInbound ? "received" : "sent"): \(words)"
    if connection.local.port == nil || connection.peer.port == nil { comment += " (\(connection.path))" }
    blocks.append(
      PcapngBlocks.packet(
        interface: interface, nanoseconds: record.nanoseconds, isInbound: isInbound, comment: comment, packet))
  }
}

extension TappedConnection {
  /// What its Unix socket is called; the dialling end has no name.
  fileprivate var path: String { side == .responder ? "\(local)" : "\(peer)" }
}

extension TappedMessages {
  /// As the packet's comment says it.
  var words: String {
    switch self {
    case .handshake: "handshake"
    case .raw: "raw bytes"
    case .whole(let numbers) where numbers.count == 1: "message \(numbers.lowerBound)"
    case .whole(let numbers): "messages \(numbers.lowerBound) to \(numbers.upperBound)"
    case .part(let number): "part of message \(number)"
    }
  }
}
