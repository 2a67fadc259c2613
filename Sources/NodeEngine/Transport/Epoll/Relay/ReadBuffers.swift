import Synchronization

/// Buffers of ``EpollLoop/readSize`` bytes that go from loop to loop: fresh memory for each read would cost more than the read.
final class ReadBuffers: Sendable {
  /// The process's.
  static let shared = ReadBuffers()

  private struct Spare {
    var buffers: [UInt] = []
    /// So many have not been needed since the last look.
    var unused = 0
  }

  private let spare = Mutex(Spare())
  /// More than so many are given back to the system at once: 16 MiB. With an eighth of it, a hundred streams into one node
  /// were a third slower.
  private static let spareAtMost = 64
  static let trimInterval = Duration.milliseconds(250)

  func take() -> UnsafeMutableRawPointer {
    let address = spare.withLock { spare in
      let last = spare.buffers.popLast()
      spare.unused = min(spare.unused, spare.buffers.count)
      return last
    }
    if let address { return UnsafeMutableRawPointer(bitPattern: address)! }
    return .allocate(byteCount: EpollLoop.readSize, alignment: 4096)
  }

  func give(back buffer: UnsafeMutableRawPointer) {
    let isKept = spare.withLock { spare in
      guard spare.buffers.count < Self.spareAtMost else { return false }
      spare.buffers.append(UInt(bitPattern: buffer))
      return true
    }
    if !isKept { buffer.deallocate() }
  }

  deinit { while trim() {} }

  /// Gives those back to the system that nobody has needed since the last call; true where some are left.
  func trim() -> Bool {
    let (idle, isAnyLeft) = spare.withLock { spare in
      let idle = Array(spare.buffers.prefix(spare.unused))
      spare.buffers.removeFirst(idle.count)
      spare.unused = spare.buffers.count
      return (idle, !spare.buffers.isEmpty)
    }
    for address in idle { UnsafeMutableRawPointer(bitPattern: address)!.deallocate() }
    return isAnyLeft
  }
}
