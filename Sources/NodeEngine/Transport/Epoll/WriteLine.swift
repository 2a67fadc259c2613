import CEpoll

/// Streams that wait for their turn to write. Their short writes leave together: the system is entered once for all of them,
/// where it lets us (see ``SocketRing``). Used on the loop only.
final class WriteLine {
  /// A longer write leaves by itself.
  private static let longest = 4096
  private static let room = SocketRing.capacity * 1024 + longest
  /// Nobody waits longer for what others do before it is their turn.
  private static let patience: Int64 = 50_000

  private let ring: SocketRing
  private let memory = UnsafeMutableRawPointer.allocate(byteCount: WriteLine.room, alignment: 64)
  private let calls = UnsafeMutablePointer<cepoll_call>.allocate(capacity: SocketRing.capacity)
  @exclusivity(unchecked) private var waiting: [EpollStream] = []
  /// When the first of them came.
  @exclusivity(unchecked) private var since: Int64 = 0
  /// Several may have something to write: until this is taken back there will be a turn for it.
  @exclusivity(unchecked) var isOpen = false
  /// Those whose writes are in ``calls``. Nothing of a script's runs while there are any.
  @exclusivity(unchecked) private var gathered: [EpollStream] = []
  /// Those whose writes have left, and who do not know it yet.
  @exclusivity(unchecked) private var written: [EpollStream] = []
  /// How much of ``memory`` is taken.
  @exclusivity(unchecked) private var used = 0
  /// Whose write is to be gathered; what others write leaves at once.
  @exclusivity(unchecked) private var turn: EpollStream?

  init(_ ring: SocketRing) {
    self.ring = ring
    waiting.reserveCapacity(SocketRing.capacity)
    gathered.reserveCapacity(SocketRing.capacity)
    written.reserveCapacity(SocketRing.capacity)
  }

  deinit {
    memory.deallocate()
    calls.deallocate()
  }

  /// Puts a stream in line for ``ByteStreamDelegate/streamMayWrite()``; false where there is no line.
  func add(_ stream: EpollStream) -> Bool {
    guard isOpen else { return false }
    if waiting.isEmpty { since = EpollLoop.clock() }
    waiting.append(stream)
    return true
  }

  /// For who does several things: after each, since the next may take as long as a whole budget.
  @inline(__always)
  func writeIfOld() {
    if !waiting.isEmpty, EpollLoop.clock() - since > Self.patience { write() }
  }

  /// Gives each its turn.
  func write() {
    guard !waiting.isEmpty else { return }
    let isGathering = waiting.count >= SocketRing.worthwhile
    var index = 0
    // What one writes may wake a task, and that may put others in line.
    while index < waiting.count {
      // Between two turns: in the middle of one, what is told might write to the same stream, or end it.
      if gathered.count == SocketRing.capacity || used + Self.longest > Self.room { send() }
      tell()
      if isGathering { turn = waiting[index] }
      waiting[index].delegate?.streamMayWrite()
      turn = nil
      index += 1
    }
    send()
    tell()
    waiting.removeAll(keepingCapacity: true)
  }

  /// Takes a copy of a write in, to leave with others' soon; false where it is to leave at once.
  func gather(_ bytes: UnsafeRawBufferPointer, of stream: EpollStream) -> Bool {
    guard turn === stream else { return false }
    turn = nil
    guard let start = bytes.baseAddress, bytes.count <= Self.longest else {
      // That it has left is told at once, and a script may hear of it.
      send()
      return false
    }
    let place = memory + used
    place.copyMemory(from: start, byteCount: bytes.count)
    calls[gathered.count] = cepoll_call(bytes: place, count: bytes.count, result: 0, descriptor: stream.descriptor)
    gathered.append(stream)
    used += bytes.count
    return true
  }

  /// What is gathered leaves. At once is told only who has to keep something, which runs no script.
  private func send() {
    guard !gathered.isEmpty else { return }
    ring.send(calls, gathered.count)
    for index in gathered.indices {
      if calls[index].result == calls[index].count {
        written.append(gathered[index])
      } else {
        let bytes = UnsafeRawBufferPointer(start: calls[index].bytes, count: calls[index].count)
        gathered[index].keep(bytes, after: calls[index].result)
      }
    }
    gathered.removeAll(keepingCapacity: true)
    used = 0
  }

  /// What is told may end streams, and write: that leaves at once, for it is nobody's turn. Nothing is gathered meanwhile.
  private func tell() {
    guard !written.isEmpty else { return }
    for stream in written { stream.delegate?.streamWrote() }
    written.removeAll(keepingCapacity: true)
  }
}
