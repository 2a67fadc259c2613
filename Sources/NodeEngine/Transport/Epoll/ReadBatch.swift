/// What was read from several sockets and is handled together: first so many are read, then all that came is handled, then
/// all that is to be written leaves.
///
/// Each of the three goes through more code than the processor's first cache holds, the kernel's and Lua's: one socket
/// after the other through all of it would fetch all of it anew for each. Used on the loop only.
final class ReadBatch {
  private struct Read {
    let stream: EpollStream
    let start: Int
    let count: Int
  }

  /// Who waits for others is to wait for few.
  private static let readsAtMost = 16
  /// A larger read is handled at once: it is work enough for itself.
  private static let largestRead = 4096
  /// Handlers that take longer than this do not keep others' answers waiting.
  private static let patience: Int64 = 50_000

  /// How much of the loop's read buffer is taken.
  @exclusivity(unchecked) private(set) var used = 0
  @exclusivity(unchecked) private var reads: [Read] = []
  @exclusivity(unchecked) private var writers: [EpollStream] = []
  /// Reads are being handled, and there will be a turn for writing.
  @exclusivity(unchecked) private var isHandling = false

  init() {
    reads.reserveCapacity(Self.readsAtMost)
  }

  /// Takes what the stream has just read behind ``used``; false where it is to be handled at once, after ``handle()``.
  func take(_ count: Int, of stream: EpollStream) -> Bool {
    guard count <= Self.largestRead, !isHandling else { return false }
    reads.append(Read(stream: stream, start: used, count: count))
    // Each on cache lines of its own.
    used += (count + 63) & ~63
    return true
  }

  var isFull: Bool { reads.count >= Self.readsAtMost }

  /// Hands out what was read, and lets write who has something to.
  func handle(_ buffer: UnsafeMutableRawPointer) {
    guard !reads.isEmpty, !isHandling else { return }
    // A single one has nobody to share a turn with.
    isHandling = reads.count > 1
    var begin = isHandling ? EpollLoop.clock() : 0
    for index in reads.indices {
      let read = reads[index]
      read.stream.handOut(UnsafeRawBufferPointer(start: buffer + read.start, count: read.count))
      guard isHandling else { continue }
      // After each: the next may use up a whole budget.
      let now = EpollLoop.clock()
      if now - begin > Self.patience {
        write()
        begin = now
      }
    }
    isHandling = false
    reads.removeAll(keepingCapacity: true)
    used = 0
    write()
  }

  /// Puts a stream in line for ``ByteStreamDelegate/streamMayWrite()``; false where there is no line.
  func putInLine(_ stream: EpollStream) -> Bool {
    guard isHandling else { return false }
    writers.append(stream)
    return true
  }

  private func write() {
    guard !writers.isEmpty else { return }
    for index in writers.indices { writers[index].delegate?.streamMayWrite() }
    writers.removeAll(keepingCapacity: true)
  }
}
