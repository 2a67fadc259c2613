import Glibc
import NodeEngine

/// Something to be written of a connection: bytes of one direction, or its beginning or end.
struct CaptureRecord: Sendable {
  enum Event: Sendable {
    case opened
    case data(isInbound: Bool, [UInt8], TappedMessages)
    case closed
  }
  var connection: TappedConnection
  var nanoseconds: UInt64
  /// Bytes of both directions before this.
  var received: UInt64
  var sent: UInt64
  var event: Event

  /// How many packets it becomes.
  var packets: UInt64 {
    guard case .data(_, let bytes, _) = event else { return 3 }
    return UInt64((bytes.count + SyntheticTCP.longestPayload - 1) / SyntheticTCP.longestPayload)
  }

  /// What it takes while it waits, roughly.
  var size: Int {
    guard case .data(_, let bytes, _) = event else { return 256 }
    return 256 + bytes.count
  }
}

/// Hands a connection's bytes to the capture with their places in the stream; on the node's loop.
final class CapturedConnection: ConnectionTap {
  private let connection: TappedConnection
  private let capture: PacketCapture
  private let onClose: () -> Void
  private var received: UInt64 = 0
  private var sent: UInt64 = 0

  init(_ connection: TappedConnection, _ capture: PacketCapture, onClose: @escaping () -> Void) {
    self.connection = connection
    self.capture = capture
    self.onClose = onClose
    put(.opened)
  }

  func received(_ bytes: UnsafeRawBufferPointer, _ messages: TappedMessages) {
    put(.data(isInbound: true, Array(bytes), messages))
    received += UInt64(bytes.count)
  }

  func sent(_ bytes: UnsafeRawBufferPointer, _ messages: TappedMessages) {
    put(.data(isInbound: false, Array(bytes), messages))
    sent += UInt64(bytes.count)
  }

  func closed() {
    put(.closed)
    onClose()
  }

  private func put(_ event: CaptureRecord.Event) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    capture.put(
      CaptureRecord(connection: connection, nanoseconds: nanoseconds, received: received, sent: sent, event: event))
  }
}
