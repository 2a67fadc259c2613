import NodeCore

/// What asking for the next message came to.
public enum NextMessage {
  /// Valid until the next call or until control returns to the loop.
  case message(UnsafeRawBufferPointer)
  case needMore
  /// The bytes are no message; the connection should end with reason `decode`.
  case invalid(String)
}

/// The received bytes of a connection that nobody has taken yet.
///
/// While a read is being handled they are seen in place, in the transport's buffer; only what is left over is copied.
public final class Inbound {
  // Touched with every message, on the node's loop only and never while a call into them is under way: the runtime's
  // checks of exclusive access would cost more than the work.

  /// What is left of a read under way: in place, not ours.
  @exclusivity(unchecked) private var windowStart = UnsafeRawPointer(bitPattern: 1)!
  @exclusivity(unchecked) private var windowCount = 0
  /// What is left of earlier reads; it comes before the window.
  @exclusivity(unchecked) private var owned = Bytes()
  /// Nobody needs to look before so many bytes are there.
  @exclusivity(unchecked) private(set) var wanted = 1
  /// Bytes known to hold no delimiter.
  @exclusivity(unchecked) private var searched = 0
  /// No more will come.
  @exclusivity(unchecked) public internal(set) var isEnded = false
  /// Counts what was taken, for the idle time-out.
  @exclusivity(unchecked) private(set) var progress: UInt64 = 0
  @exclusivity(unchecked) var framing: Framing? {
    didSet {
      plainMax = framing?.plainMax ?? -1
      waiting = nil
    }
  }
  /// The `max` of the commonest framing, a length of four bytes, which is cut here; -1 for any other.
  @exclusivity(unchecked) private var plainMax = -1
  @exclusivity(unchecked) private(set) var messagesReceived: UInt64 = 0
  @exclusivity(unchecked) private(set) var bytesReceived: UInt64 = 0
  /// The whole messages that wait, as far as they have been counted; nil: nothing is known of them.
  @exclusivity(unchecked) private var waiting: Waiting?
  /// All that was received and not dropped, in bytes.
  @exclusivity(unchecked) private var arrived: UInt64 = 0

  init() {}

  private var window: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: windowStart, count: windowCount) }

  /// All unconsumed bytes, contiguous; valid until the next call that consumes or receives.
  public var bytes: UnsafeRawBufferPointer {
    guard owned.count > 0 else { return window }
    takeOver(windowCount)
    return owned.view
  }
  var count: Int { owned.count + windowCount }

  /// Takes so many bytes from the front; at most as many as ``bytes`` has.
  public func consume(_ amount: Int) {
    guard amount > 0 else { return }
    progress &+= 1
    searched = 0
    wanted = 1
    if owned.count > 0 {
      takeOver(windowCount)
      owned.removeFirst(amount)
    } else {
      precondition(amount <= windowCount, "consumed more than there is")
      advance(amount)
    }
  }

  /// Others look at what is left from now on: nothing is known of it.
  func startOver() {
    wanted = 1
    searched = 0
    waiting = nil
  }

  /// Do not wake me before `total` bytes are there.
  public func expect(_ total: Int) { wanted = total }

  /// The next message by the connection's framing; counts it.
  @inline(__always)
  public func nextMessage() -> NextMessage {
    if windowCount >= 4, plainMax >= 0, owned.count == 0 {
      let length = Int(UInt32(bigEndian: windowStart.loadUnaligned(as: UInt32.self)))
      if length <= plainMax, length &+ 4 <= windowCount {
        let message = UnsafeRawBufferPointer(start: windowStart + 4, count: length)
        advance(length &+ 4)
        noteMessage(length)
        return .message(message)
      }
    }
    return cutMessage()
  }

  @inline(never)
  private func cutMessage() -> NextMessage {
    guard let framing else { return .needMore }
    if owned.count > 0 { completeFront(framing) }
    let isOwned = owned.count > 0
    let current = isOwned ? owned.view : window
    switch framing.cut(current, searched: searched) {
    case .frame(let start, let count, let total):
      noteMessage(count)
      isOwned ? owned.removeFirst(total) : advance(total)
      return .message(UnsafeRawBufferPointer(rebasing: current[start..<(start + count)]))
    case .need(let total):
      wanted = total
      searched = current.count
      return .needMore
    case .invalid(let message): return .invalid(message)
    }
  }

  @inline(__always)
  private func noteMessage(_ count: Int) {
    messagesReceived &+= 1
    bytesReceived &+= UInt64(truncatingIfNeeded: count)
    progress &+= 1
    wanted = 1
    searched = 0
  }

  @inline(__always)
  private func advance(_ amount: Int) {
    windowStart += amount
    windowCount &-= amount
  }

  /// Copies so many bytes of the read behind what is left of earlier ones.
  private func takeOver(_ amount: Int) {
    guard amount > 0 else { return }
    owned.append(UnsafeRawBufferPointer(start: windowStart, count: amount))
    advance(amount)
  }

  /// A frame began in an earlier read: takes over what it lacks, so that the rest of this read is still seen in place.
  private func completeFront(_ framing: Framing) {
    guard framing.saysLength else { return takeOver(windowCount) }
    while windowCount > 0, case .need(let total) = framing.cut(owned.view, searched: 0) {
      takeOver(min(max(total - owned.count, 1), windowCount))
    }
  }

  /// Counts a message of so many bytes, for hooks that cut by themselves.
  public func countMessage(bytes: Int) {
    messagesReceived &+= 1
    bytesReceived &+= UInt64(truncatingIfNeeded: bytes)
  }

  // For the connection

  /// Shows the bytes of a read in place, behind what is left of earlier ones.
  func open(_ bytes: UnsafeRawBufferPointer) {
    takeOver(windowCount)
    guard let start = bytes.baseAddress else { return }
    windowStart = start
    windowCount = bytes.count
    arrived &+= UInt64(truncatingIfNeeded: bytes.count)
  }

  /// The read's buffer goes: keep what is left of it.
  func close() {
    takeOver(windowCount)
    owned.releaseIfIdle()
  }

  func removeAll() {
    windowCount = 0
    waiting = nil
    owned.removeAll()
    owned.releaseIfIdle()
  }

  // What waits

  /// What was taken off the front so far.
  private struct Taken {
    var messages: UInt64
    var bytes: UInt64
    /// Times that somebody took bytes that were no message.
    var others: UInt64
  }

  /// Only a connection whose messages wait has one.
  private final class Waiting {
    var counted = MessageCount()
    /// When that was counted.
    var taken: Taken
    init(_ taken: Taken) { self.taken = taken }
  }

  /// How many whole messages wait, counted at least to `limit`; nil where only the hooks can tell.
  func waitingMessages(limit: Int) -> Int? {
    guard let framing, framing.kind != .external else { return nil }
    return count(framing, limit).counted.messages
  }

  /// Removes whole messages beyond the first `limit`; how many that were.
  func dropMessages(beyond limit: Int) -> Int {
    close()
    guard let framing, framing.kind != .external else { return 0 }
    var waiting = count(framing, limit)
    if waiting.counted.messages > limit {
      self.waiting = nil
      waiting = count(framing, limit)
    }
    guard waiting.counted.messages == limit else { return 0 }
    let surplus = waiting.counted.surplus(owned.view, framing)
    if surplus.size > 0 { owned.remove(at: waiting.counted.size, surplus.size) }
    arrived &-= UInt64(surplus.size)
    return surplus.messages
  }

  /// Goes on counting from where it was left, behind the messages that have not been taken meanwhile.
  private func count(_ framing: Framing, _ limit: Int) -> Waiting {
    let taken = Taken(messages: messagesReceived, bytes: arrived &- UInt64(count), others: progress &- messagesReceived)
    let known = waiting.flatMap { $0.taken.others == taken.others ? $0 : nil } ?? Waiting(taken)
    known.counted.remove(
      messages: Int(taken.messages &- known.taken.messages), size: Int(taken.bytes &- known.taken.bytes))
    known.taken = taken
    known.counted.count(bytes, framing, limit: limit)
    waiting = known
    return known
  }
}
