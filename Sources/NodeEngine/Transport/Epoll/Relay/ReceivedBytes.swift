import Glibc
import Synchronization

/// Received bytes on their way from one loop to another, in memory of their own; it goes with the last reference.
final class ReceivedBytes: @unchecked Sendable {
  // Unchecked: filled before it is handed over, and only read from then on.

  private let memory: UnsafeMutableRawPointer
  private let isReadBuffer: Bool
  let view: UnsafeRawBufferPointer

  /// Less than this is cheaper to copy than a large buffer is to hold.
  private static let copiedAtMost = 32 << 10

  /// The bytes that a loop has just read into its buffer. Much of it is not copied: the loop goes on with another buffer.
  convenience init(_ bytes: UnsafeRawBufferPointer, readBy loop: EpollLoop) {
    if bytes.count > Self.copiedAtMost {
      self.init(memory: loop.takeReadBuffer(), isReadBuffer: true, view: bytes)
    } else {
      self.init(copying: bytes)
    }
  }

  convenience init(copying bytes: UnsafeRawBufferPointer) {
    let memory = malloc(max(1, bytes.count))!
    if let start = bytes.baseAddress { memcpy(memory, start, bytes.count) }
    self.init(memory: memory, isReadBuffer: false, view: UnsafeRawBufferPointer(start: memory, count: bytes.count))
  }

  private init(memory: UnsafeMutableRawPointer, isReadBuffer: Bool, view: UnsafeRawBufferPointer) {
    self.memory = memory
    self.isReadBuffer = isReadBuffer
    self.view = view
  }

  deinit { isReadBuffer ? ReadBuffers.shared.give(back: memory) : free(memory) }
}
