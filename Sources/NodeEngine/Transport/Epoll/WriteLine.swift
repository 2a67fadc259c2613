import CEpoll

/// Streams that wait for their turn to write. Their short writes leave together: the system is entered once for all of them,
/// where it lets us (see ``SocketRing``). Used on the loop only.
final class WriteLine {
  /// A longer write leaves by itself.
  private static let longest = 4096
  private static let room = SocketRing.capacity * 1024
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
  /// How much of ``memory`` is taken.
  @exclusivity(unchecked) private var used = 0
  @exclusivity(unchecked) private var isGathering = false

  init(_ ring: SocketRing) {
    self.ring = ring
    waiting.reserveCapacity(SocketRing.capacity)
    gathered.reserveCapacity(SocketRing.capacity)
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
    guard !waiting.isEmpty, !isGathering else { return }
    isGathering = waiting.count >= SocketRing.worthwhile
    var index = 0
    // What one writes may wake a task, and that may put others in line.
    while index < waiting.count {
      waiting[index].delegate?.streamMayWrite()
      index += 1
    }
    send()
    isGathering = false
    waiting.removeAll(keepingCapacity: true)
  }

  /// Takes a copy of a write in, to leave with others' soon; false where it is to leave at once.
  func gather(_ bytes: UnsafeRawBufferPointer, of stream: EpollStream) -> Bool {
    guard isGathering else { return false }
    if gathered.count == SocketRing.capacity || used + bytes.count > Self.room || bytes.count > Self.longest { send() }
    guard let start = bytes.baseAddress, bytes.count <= Self.longest else { return false }
    let place = memory + used
    place.copyMemory(from: start, byteCount: bytes.count)
    calls[gathered.count] = cepoll_call(bytes: place, count: bytes.count, result: 0, descriptor: stream.descriptor)
    gathered.append(stream)
    used += bytes.count
    return true
  }

  private func send() {
    guard !gathered.isEmpty else { return }
    ring.send(calls, gathered.count)
    // What is told now may end streams, and write: that leaves at once, so the lists stay as they are.
    isGathering = false
    // First what each has to keep: one that is told that all is well may end another.
    for index in gathered.indices where calls[index].result != calls[index].count {
      let bytes = UnsafeRawBufferPointer(start: calls[index].bytes, count: calls[index].count)
      gathered[index].keep(bytes, after: calls[index].result)
    }
    for index in gathered.indices where calls[index].result == calls[index].count {
      gathered[index].delegate?.streamWrote()
    }
    gathered.removeAll(keepingCapacity: true)
    used = 0
    isGathering = true
  }
}
