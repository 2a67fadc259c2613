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
  /// A read under way: in place, not ours.
  private var window: UnsafeRawBufferPointer?
  private var owned = Bytes()
  /// Nobody needs to look before so many bytes are there.
  private(set) var wanted = 1
  /// Bytes known to hold no delimiter.
  private var searched = 0
  /// No more will come.
  public internal(set) var isEnded = false
  /// Counts what was taken, for the idle time-out.
  private(set) var progress: UInt64 = 0
  var framing: Framing?
  private(set) var messagesReceived: UInt64 = 0
  private(set) var bytesReceived: UInt64 = 0

  init() {}

  /// All unconsumed bytes, contiguous; valid until the next call that consumes or receives.
  public var bytes: UnsafeRawBufferPointer { window ?? owned.view }
  var count: Int { window?.count ?? owned.count }

  /// Takes so many bytes from the front; at most as many as ``bytes`` has.
  public func consume(_ amount: Int) {
    guard amount > 0 else { return }
    progress &+= 1
    searched = 0
    wanted = 1
    if let current = window {
      precondition(amount <= current.count, "consumed more than there is")
      window = UnsafeRawBufferPointer(rebasing: current[amount...])
    } else {
      owned.removeFirst(amount)
    }
  }

  /// Do not wake me before `total` bytes are there.
  public func expect(_ total: Int) { wanted = total }

  /// The next message by the connection's framing; counts it.
  @inline(__always)
  public func nextMessage() -> NextMessage {
    guard let framing else { return .needMore }
    let current = bytes
    switch framing.cut(current, searched: searched) {
    case .frame(let start, let count, let total):
      messagesReceived &+= 1
      bytesReceived &+= UInt64(truncatingIfNeeded: count)
      progress &+= 1
      wanted = 1
      searched = 0
      if window != nil {
        window = UnsafeRawBufferPointer(rebasing: current[total...])
      } else {
        owned.removeFirst(total)
      }
      return .message(UnsafeRawBufferPointer(rebasing: current[start..<(start + count)]))
    case .need(let total):
      wanted = total
      searched = current.count
      return .needMore
    case .invalid(let message): return .invalid(message)
    }
  }

  /// Counts a message of so many bytes, for hooks that cut by themselves.
  public func countMessage(bytes: Int) {
    messagesReceived &+= 1
    bytesReceived &+= UInt64(truncatingIfNeeded: bytes)
  }

  // For the connection

  /// Shows the bytes of a read in place, or adds them to what is left of earlier ones.
  func open(_ bytes: UnsafeRawBufferPointer) {
    if owned.count == 0 {
      window = bytes
    } else {
      owned.append(bytes)
    }
  }

  /// The read's buffer goes: keep what is left of it.
  func close() {
    if let rest = window {
      window = nil
      owned.append(rest)
    }
    owned.releaseIfIdle()
  }

  func removeAll() {
    window = nil
    owned.removeAll()
  }

  /// How many whole messages wait, counted to `limit`; nil where only the hooks can tell.
  func waitingMessages(limit: Int) -> Int? {
    waiting(limit).map(\.count)
  }

  /// Removes whole messages beyond the first `limit`; how many that were.
  func dropMessages(beyond limit: Int) -> Int {
    close()
    guard let (count, end) = waiting(limit), count == limit, let framing else { return 0 }
    let all = owned.view
    var last = end
    var dropped = 0
    while case .frame(_, _, let total) = framing.cut(UnsafeRawBufferPointer(rebasing: all[last...]), searched: 0) {
      last += total
      dropped += 1
    }
    if last > end { owned.remove(at: end, last - end) }
    return dropped
  }

  private func waiting(_ limit: Int) -> (count: Int, end: Int)? {
    guard let framing, framing.kind != .external else { return nil }
    let all = bytes
    var end = 0
    var count = 0
    while count < limit, case .frame(_, _, let total) = framing.cut(UnsafeRawBufferPointer(rebasing: all[end...]), searched: 0) {
      end += total
      count += 1
    }
    return (count, end)
  }
}
