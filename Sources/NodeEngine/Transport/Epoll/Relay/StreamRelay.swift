import Glibc
import NIOCore
import NodeCore
import Synchronization

/// The I/O loop's half of a stream whose node lives on another loop: reads, cuts, writes, and hands over in batches.
///
/// Unchecked: but for `post`, everything runs on the I/O loop.
final class StreamRelay: ByteStreamDelegate, @unchecked Sendable {
  private let stream: EpollStream
  private let channel: RelayChannel
  /// The node's half; nil once it wants to hear no more.
  private var far: RelayedStream?
  private var writing: OutboundBuffer?
  /// What is to be written has not got to the stream yet.
  private var isInLine = false
  private var cutter = FrameCutter()
  /// All that was read so far, in bytes.
  private var received: UInt64 = 0

  init(_ stream: EpollStream, _ channel: RelayChannel) {
    self.stream = stream
    self.channel = channel
  }

  // From the node's loop

  /// Runs on the I/O loop, in the order of the calls.
  func post(_ command: @escaping (StreamRelay) -> Void) {
    stream.loop.post(.action { [self] in command(self) })
  }

  func open(for far: RelayedStream) {
    self.far = far
    stream.delegate = self
    stream.relay = self
    guard !stream.loop.add(stream) else { return }
    let error = IOError(errnoCode: errno, reason: "epoll_ctl")
    stream.neverAdded()
    streamFailed(DisconnectReason(.read, message: "\(error)"))
  }

  func startReading() { stream.setReading(true) }

  /// Frames begin at this place of the stream. Where more was read before that was known, the node's loop goes on to cut.
  func cut(by framing: Framing?, from place: UInt64) {
    cutter.begin(place == received ? framing : nil) { hand($0) }
  }

  func write(_ buffer: OutboundBuffer) {
    writing = buffer
    isInLine = stream.writesInTurn()
    if !isInLine { stream.write(buffer.bytes.view) }
  }

  func close() {
    far = nil
    streamMayWrite()
    stream.close()
  }

  func abort() {
    far = nil
    stream.abort()
  }

  // To the node's loop

  private func tell(_ change: (inout RelayChannel.Mail) -> Void) {
    guard let far, channel.put(change) else { return }
    far.loop.post(.action { far.takeMail() })
  }

  func streamReceived(_ bytes: UnsafeRawBufferPointer) {
    guard far != nil else { return }
    received &+= UInt64(bytes.count)
    cutter.take(bytes, isLast: !stream.mayRead) { hand($0) }
    guard channel.isFull else { return }
    stream.setReading(false)
    if channel.pause() { stream.setReading(true) }
  }

  private func hand(_ cut: FrameCutter.Cut) {
    let bytes: ReceivedBytes
    switch cut {
    case .inPlace(let view): bytes = ReceivedBytes(view, readBy: stream.loop)
    case .own(let own): bytes = own
    }
    channel.handOver(bytes.view.count)
    tell { $0.received.gather(bytes) }
  }

  func streamEnded() {
    streamRanDry()
    tell { $0.hasEnded = true }
  }

  func streamMayWrite() {
    guard isInLine, let writing else { return }
    isInLine = false
    stream.write(writing.bytes.view)
  }

  /// Not where all of it has left: the node's loop may be at its next write then, and have stored how long that is.
  func streamWaits() { noteUnwritten() }

  func streamWrote() {
    guard let buffer = writing else { return }
    writing = nil
    // Emptied here, before it goes back.
    buffer.bytes.removeAll()
    // Before the node's loop hears of it, which may be late: to its clock this is progress.
    channel.unwritten.store(0, ordering: .relaxed)
    tell { $0.hasWritten = true }
  }

  func streamFailed(_ reason: DisconnectReason) {
    streamRanDry()
    tell { $0.failure = reason }
    far = nil
  }

  // From the stream

  /// Nothing more is there to be read for now.
  func streamRanDry() { cutter.flush { hand($0) } }

  /// The kernel has taken some of a write.
  func noteUnwritten() { channel.unwritten.store(stream.unwritten, ordering: .relaxed) }

  /// The descriptor is about to be closed.
  func streamCloses() { channel.closeDescriptor() }
}
