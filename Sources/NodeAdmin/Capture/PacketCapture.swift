import Dispatch
import Glibc
import NodeCore
public import NodeEngine
import Synchronization

/// Writes what nodes exchange into a pcapng file that Wireshark opens: plaintext, both directions, in IP and TCP headers made
/// for it.
///
/// A thread of its own writes, from a queue with a bound: where the disk is slower than the nodes, packets are left out and
/// counted, and the nodes go on. A connection between two nodes of the process is in it once, as the end saw it that was set
/// up first.
public final class PacketCapture: TrafficTap {
  /// What became of a capture.
  public struct Summary: Sendable, Equatable {
    public var packets: UInt64 = 0
    /// Packets that found the queue full, or the disk.
    public var leftOut: UInt64 = 0
    /// Why writing stopped before the end, or nil.
    public var problem: String?
  }

  private struct Pair: Hashable {
    var local: PeerAddress
    var peer: PeerAddress
  }
  private struct State {
    var waiting: [CaptureRecord] = []
    var bytes = 0
    var isWriting = false
    var isClosed = false
    var leftOut: [String: UInt64] = [:]
    var open: Set<Pair> = []
  }

  private let state = Mutex(State())
  private let thread = DispatchQueue(label: "moonpeer.capture")
  private let mostWaiting: Int
  private let writer: CaptureWriter

  /// Makes the file, for its owner only.
  ///
  /// - Parameters:
  ///   - application: what the file says it was written by.
  ///   - mostWaiting: bytes that may wait to be written.
  /// - Throws: ``AdminError`` with code `exists` where there is a file of that name, or `system`.
  public init(creating path: String, application: String = "moonpeer", mostWaiting: Int = 16 << 20) throws(AdminError) {
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      let number = errno
      if number == EEXIST {
        throw AdminError(code: .exists, message: "\"\(path)\" is there already; move it away, or name another file")
      }
      throw .system("cannot write \"\(path)\"", number)
    }
    self.mostWaiting = mostWaiting
    writer = CaptureWriter(descriptor)
    writer.write(PcapngBlocks.sectionHeader(application: application))
    if let problem = writer.problem {
      writer.close()
      throw AdminError(code: .system, message: "cannot write \"\(path)\": \(problem)")
    }
  }

  /// To a file that is open already.
  init(writingTo writer: CaptureWriter, mostWaiting: Int = 16 << 20) {
    self.writer = writer
    self.mostWaiting = mostWaiting
    writer.write(PcapngBlocks.sectionHeader(application: "moonpeer"))
  }

  public func tap(_ connection: TappedConnection) -> (any ConnectionTap)? {
    let pair = Pair(local: connection.local, peer: connection.peer)
    let isTaken = state.withLock { state in
      // The other end is looked at: both would be one stream with everything in it twice.
      if let (local, peer) = connection.reversed, state.open.contains(Pair(local: local, peer: peer)) { return false }
      if connection.local.port != nil { state.open.insert(pair) }
      return true
    }
    guard isTaken else { return nil }
    return CapturedConnection(connection, self) { [weak self] in
      self?.state.withLock { _ = $0.open.remove(pair) }
    }
  }

  /// From any thread.
  func put(_ record: CaptureRecord) {
    let starts = state.withLock { state in
      guard !state.isClosed, state.bytes + record.size <= mostWaiting else {
        state.leftOut[record.connection.node, default: 0] += record.packets
        return false
      }
      state.bytes += record.size
      state.waiting.append(record)
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if starts { thread.async { self.drain() } }
  }

  private func drain() {
    while true {
      let batch = state.withLock { state in
        defer { state.waiting = [] }
        if state.waiting.isEmpty { state.isWriting = false }
        return state.waiting
      }
      guard !batch.isEmpty else { return }
      for record in batch {
        writer.write(record)
        // Its room is free only when it is on its way: what is being written counts as waiting.
        state.withLock { $0.bytes -= record.size }
      }
    }
  }

  /// Writes what is waiting and closes the file; what comes later is left out.
  public func close() async -> Summary {
    state.withLock { $0.isClosed = true }
    return await withCheckedContinuation { continuation in
      thread.async { [self] in
        drain()
        let leftOut = state.withLock { $0.leftOut }
        continuation.resume(returning: writer.finish(leftOut))
      }
    }
  }

  /// Left out so far, for who wants to know before the end.
  public var leftOut: UInt64 { state.withLock { $0.leftOut.values.reduce(0, +) } }
}
