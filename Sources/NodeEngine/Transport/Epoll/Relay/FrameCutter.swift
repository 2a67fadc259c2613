import Glibc

/// Cuts a stream at the ends of its frames while it flows, so that the node's loop gets each of them in one piece and copies
/// none. Used on the I/O loop; for framings that say a frame's length in front.
///
/// What has not arrived whole is only held back while more is there to be read: whoever waits for bytes gets what there is.
struct FrameCutter: ~Copyable {
  /// Where bytes go: those of the read under way in place, others in memory of their own.
  enum Cut {
    case inPlace(UnsafeRawBufferPointer)
    case own(ReceivedBytes)
  }

  private var framing: Framing?
  /// The beginning of a frame that is not there yet.
  private var front = Bytes()
  /// So much of it has been given already.
  private var given = 0
  /// What is missing of a frame whose beginning has been given.
  private var missing = 0

  /// Longer frames are given as they come: they would be held back over several reads.
  private static let longest = EpollLoop.readSize
  /// No header is longer: a frame that needs more is one whose length is known.
  private static let longestHeader = 16

  /// Cuts by this from the next byte on; nil: not at all.
  mutating func begin(_ framing: Framing?, _ give: (Cut) -> Void) {
    flush(give)
    front.removeAll()
    given = 0
    missing = 0
    self.framing = framing.flatMap { $0.saysLength ? $0 : nil }
  }

  /// What is given in place takes its memory along: it is the last thing that is looked at.
  ///
  /// - Parameter isLast: nothing more is there to be read for now.
  mutating func take(_ bytes: UnsafeRawBufferPointer, isLast: Bool, _ give: (Cut) -> Void) {
    guard let framing else { return give(.inPlace(bytes)) }
    var next = 0
    if front.count > 0 {
      next = complete(framing, bytes, give)
      if front.count > 0 { return isLast ? flush(give) : () }
    }
    let first = next
    let rest = min(missing, bytes.count - next)
    missing -= rest
    next += rest
    var needed = 1
    cutting: while next < bytes.count {
      switch framing.cut(UnsafeRawBufferPointer(rebasing: bytes[next...]), searched: 0) {
      case .frame(_, _, let total): next += total
      case .need(let total):
        needed = total
        break cutting
      case .invalid:
        // The node's loop finds the same, and says so.
        self.framing = nil
        next = bytes.count
      }
    }
    let left = bytes.count - next
    guard left > 0 else { return giveInPlace(bytes[first...], give) }
    if needed > Self.longestHeader, isLast || needed > Self.longest {
      missing = needed - left
      return giveInPlace(bytes[first...], give)
    }
    // Before the rest is given: with it goes the memory, and another loop may have let go of it by now.
    front.append(UnsafeRawBufferPointer(rebasing: bytes[next...]))
    giveInPlace(bytes[first..<next], give)
    if isLast { flush(give) }
  }

  /// Nothing more is there for now: gives what is held back.
  mutating func flush(_ give: (Cut) -> Void) {
    guard given < front.count else { return }
    give(.own(ReceivedBytes(copying: UnsafeRawBufferPointer(rebasing: front.view[given...]))))
    given = front.count
    guard let framing, case .need(let total) = framing.cut(front.view, searched: 0), total > Self.longestHeader else { return }
    missing = total - front.count
    dropFront()
  }

  /// Adds to the front what it lacks; how many bytes that took.
  private mutating func complete(_ framing: Framing, _ bytes: UnsafeRawBufferPointer, _ give: (Cut) -> Void) -> Int {
    var next = 0
    while next < bytes.count, case .need(let total) = framing.cut(front.view, searched: 0) {
      // Its length was not known when it began: what is longer than a read is not gathered here.
      if total > Self.longest {
        missing = total - front.count
        giveFront(give)
        return next
      }
      let more = min(total - front.count, bytes.count - next)
      front.append(UnsafeRawBufferPointer(rebasing: bytes[next..<(next + more)]))
      next += more
    }
    if case .need = framing.cut(front.view, searched: 0) { return next }
    giveFront(give)
    return next
  }

  private mutating func giveFront(_ give: (Cut) -> Void) {
    if given < front.count { give(.own(ReceivedBytes(copying: UnsafeRawBufferPointer(rebasing: front.view[given...])))) }
    dropFront()
  }

  private mutating func dropFront() {
    front.removeAll()
    front.releaseIfIdle()
    given = 0
  }

  private func giveInPlace(_ bytes: Slice<UnsafeRawBufferPointer>, _ give: (Cut) -> Void) {
    if !bytes.isEmpty { give(.inPlace(UnsafeRawBufferPointer(rebasing: bytes))) }
  }
}
