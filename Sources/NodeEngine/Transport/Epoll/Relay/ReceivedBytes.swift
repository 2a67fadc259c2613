import Glibc
import Synchronization

/// Received bytes on their way from one loop to another, in memory of their own; it goes with the last reference.
final class ReceivedBytes: @unchecked Sendable {
  // Unchecked: one loop at a time has it, or the mail between them.

  private var memory: UnsafeMutableRawPointer
  private let isReadBuffer: Bool
  private var isGathering = false
  private(set) var view: UnsafeRawBufferPointer

  /// Of two that wait one behind the other one is more than half of this, so what waits needs little more memory than it
  /// has bytes.
  private static let gatheredAtMost = 4096

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

  /// Takes those behind it in the stream along, where both are few; false: they stay on their own. For who has it alone.
  ///
  /// A peer that sends byte by byte would otherwise have each byte wait in an object of its own.
  fileprivate func gather(_ next: ReceivedBytes) -> Bool {
    let count = view.count + next.view.count
    guard count <= Self.gatheredAtMost, !isReadBuffer, let start = next.view.baseAddress else { return false }
    if !isGathering {
      isGathering = true
      memory = realloc(memory, Self.gatheredAtMost)!
    }
    memcpy(memory + view.count, start, next.view.count)
    view = UnsafeRawBufferPointer(start: memory, count: count)
    return true
  }

  deinit { isReadBuffer ? ReadBuffers.shared.give(back: memory) : free(memory) }
}

extension RangeReplaceableCollection where Self: BidirectionalCollection, Element == ReceivedBytes {
  /// Adds what comes next in the stream.
  mutating func gather(_ next: ReceivedBytes) {
    if let last, last.gather(next) { return }
    append(next)
  }
}
