/// How many whole messages stand at the front of bytes that grow at their end: each look goes on where the last one stopped.
///
/// A peer that sends single bytes while a hook waits would otherwise have all that is queued looked through for each of them.
struct MessageCount {
  private(set) var messages = 0
  /// How many bytes they are.
  private(set) var size = 0
  /// So many bytes behind them hold no delimiter.
  private var searched = 0
  /// What stands behind them is no message, whatever else comes.
  private var isAtInvalid = false

  /// Counts on, up to `limit` messages; `bytes` begins with what was looked at before.
  mutating func count(_ bytes: UnsafeRawBufferPointer, _ framing: Framing, limit: Int) {
    // What has no ends is cut by what has arrived: the last piece grows.
    if framing.kind == .bytes { self = MessageCount() }
    while messages < limit, !isAtInvalid {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[size...])
      switch framing.cut(rest, searched: searched) {
      case .frame(_, _, let total):
        messages += 1
        size += total
        searched = 0
      case .need:
        searched = rest.count
        return
      case .invalid: isAtInvalid = true
      }
    }
  }

  /// The whole messages behind those that are counted, which are about to be taken out.
  mutating func surplus(_ bytes: UnsafeRawBufferPointer, _ framing: Framing) -> (messages: Int, size: Int) {
    var all = self
    all.count(bytes, framing, limit: .max)
    searched = all.searched
    isAtInvalid = all.isAtInvalid
    return (all.messages - messages, all.size - size)
  }

  /// So many messages, which are so many bytes, were taken off the front.
  mutating func remove(messages taken: Int, size bytes: Int) {
    guard taken <= messages, bytes <= size else { return self = MessageCount() }
    messages -= taken
    size -= bytes
  }
}
