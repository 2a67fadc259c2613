import NodeCore
import Synchronization

/// What the two halves of a relayed stream share: the only thing that both loops touch.
final class RelayChannel: Sendable {
  /// What the I/O loop has to tell; taken as a whole.
  struct Mail {
    var received: [ReceivedBytes] = []
    var hasWritten = false
    /// Nothing comes after what was received.
    var hasEnded = false
    var failure: DisconnectReason?
    /// The node's loop knows that there is mail.
    fileprivate var isAnnounced = false
  }

  /// Reading stops at so many bytes that the node's loop has not handled, and goes on at half of it: after a full read, that
  /// is. Where many streams keep a node busy another one is always ready: eight times as much brought nothing.
  static let readAhead = 64 << 10

  /// What the kernel has not taken of the write under way, in bytes.
  let unwritten = Atomic(0)
  private let mail = Mutex(Mail())
  private let unhandled = Atomic(0)
  private let isPaused = Atomic(false)
  /// -1 once it is closed: the number may be another socket's from then on.
  private let descriptor: Mutex<Int32>

  init(_ descriptor: Int32) { self.descriptor = Mutex(descriptor) }

  /// Leaves something for the node's loop; true where that must be told of it.
  func put(_ change: (inout Mail) -> Void) -> Bool {
    mail.withLock { mail in
      change(&mail)
      defer { mail.isAnnounced = true }
      return !mail.isAnnounced
    }
  }

  func take() -> Mail {
    mail.withLock { mail in
      defer { mail = Mail() }
      return mail
    }
  }

  // How far the I/O loop may read ahead

  /// So many bytes more are handed over.
  func handOver(_ count: Int) { unhandled.wrappingAdd(count, ordering: .sequentiallyConsistent) }

  /// Reading has to stop.
  var isFull: Bool { unhandled.load(ordering: .sequentiallyConsistent) >= Self.readAhead }

  /// Reading has stopped; true where it may go on already.
  ///
  /// Either this sees what was handled or ``handled(_:)`` sees the pause: both write before they look.
  func pause() -> Bool {
    isPaused.store(true, ordering: .sequentiallyConsistent)
    return unhandled.load(ordering: .sequentiallyConsistent) <= Self.readAhead / 2 && endPause()
  }

  /// So many bytes were handled; true where the I/O loop must be told to go on.
  func handled(_ count: Int) -> Bool {
    let left = unhandled.wrappingSubtract(count, ordering: .sequentiallyConsistent).newValue
    guard left <= Self.readAhead / 2, isPaused.load(ordering: .sequentiallyConsistent) else { return false }
    return endPause()
  }

  /// One of both loops ends it.
  private func endPause() -> Bool { isPaused.exchange(false, ordering: .sequentiallyConsistent) }

  // The descriptor, for calls that answer at once

  func closeDescriptor() { descriptor.withLock { $0 = -1 } }

  /// nil where the socket is closed.
  func withDescriptor<R>(_ body: (Int32) -> R) -> R? {
    descriptor.withLock { $0 < 0 ? nil : body($0) }
  }
}

/// Bytes to be written, which go to the I/O loop and come back empty. At any time one loop has it.
final class OutboundBuffer: @unchecked Sendable {
  // Unchecked: given to the other loop by a job, and given back by mail.
  @exclusivity(unchecked) var bytes = Bytes()
}
