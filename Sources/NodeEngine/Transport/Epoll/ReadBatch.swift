import CEpoll

/// Reads of several sockets that are done together: first all are read, then all that came is handled, then all that is to be
/// written leaves.
///
/// Each of the three goes through more code than the processor's first cache holds, the kernel's and Lua's: one socket
/// after the other through all of it would fetch all of it anew for each. And the system is entered once for all of them, where
/// it lets us (see ``SocketRing``). Used on the loop only.
final class ReadBatch {
  /// A socket that has as much as this is read by itself, with more room.
  static let readSize = 4096
  /// Not a power of two: beginnings at the same place of each page would drive each other out of the processor's first cache.
  private static let stride = readSize + 64

  private let ring: SocketRing
  private let line: WriteLine
  private let memory = UnsafeMutableRawPointer.allocate(byteCount: SocketRing.capacity * ReadBatch.stride, alignment: 64)
  private let calls = UnsafeMutablePointer<cepoll_call>.allocate(capacity: SocketRing.capacity)
  @exclusivity(unchecked) private var streams: [EpollStream] = []
  @exclusivity(unchecked) private var isHandling = false

  init(_ ring: SocketRing, _ line: WriteLine) {
    self.ring = ring
    self.line = line
    streams.reserveCapacity(SocketRing.capacity)
  }

  deinit {
    memory.deallocate()
    calls.deallocate()
  }

  /// Puts a stream that has something to be read in for the next ``handle()``.
  func add(_ stream: EpollStream) {
    streams.append(stream)
    if streams.count == SocketRing.capacity { handle() }
  }

  /// Reads, hands out what came, and lets write who has something to.
  func handle() {
    guard !streams.isEmpty, !isHandling else { return }
    // One that has nobody to share with is read as any other.
    if streams.count == 1 { return streams.removeLast().readAlone() }
    receive()
    isHandling = true
    line.isOpen = true
    for index in streams.indices {
      streams[index].received(calls[index].result, memory + index * Self.stride)
      line.writeIfOld()
    }
    line.isOpen = false
    isHandling = false
    streams.removeAll(keepingCapacity: true)
    line.write()
  }

  private func receive() {
    // Since it was put in, another one's handler may have ended it or told it to wait; its descriptor may be another socket's.
    if !streams.allSatisfy(\.wantsToRead) { streams.removeAll { !$0.wantsToRead } }
    for index in streams.indices {
      let place = memory + index * Self.stride
      calls[index] = cepoll_call(bytes: place, count: Self.readSize, result: 0, descriptor: streams[index].descriptor)
    }
    ring.receive(calls, streams.count)
  }
}
