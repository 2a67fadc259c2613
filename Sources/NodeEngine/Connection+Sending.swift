import DequeModule
import Glibc
public import NodeCore

extension Connection {
  /// An endless sender gives way to the others of its loop after this many bytes.
  static let tickShare = 1 << 20
  static let hardCapFactor = 8

  var queued: Int { outgoing.count + inFlight }

  /// Frames the message and queues it; it leaves at the end of the tick.
  @inline(__always)
  public func send(_ message: UnsafeRawBufferPointer) -> SendOutcome {
    sendPlain(message) ? .queued : sendChecked(message)
  }

  /// What nearly every send of a busy connection comes to: nothing to look at but the room that ``notePlainRoom()`` found.
  @inline(__always)
  package func sendPlain(_ message: UnsafeRawBufferPointer) -> Bool {
    let size = message.count &+ 4
    guard size <= plainRoom, message.count <= plainMax else { return false }
    plainRoom &-= size
    appendPlain(message)
    messagesSent &+= 1
    bytesSent &+= UInt64(truncatingIfNeeded: message.count)
    queuedTotal &+= UInt64(truncatingIfNeeded: size)
    sentInTick &+= size
    return true
  }

  @inline(__always)
  private func appendPlain(_ message: UnsafeRawBufferPointer) {
    let place = outgoing.room(4 &+ message.count)
    place.storeBytes(of: UInt32(truncatingIfNeeded: message.count).bigEndian, as: UInt32.self)
    if let source = message.baseAddress { memcpy(place + 4, source, message.count) }
  }

  @inline(never)
  package func sendChecked(_ message: UnsafeRawBufferPointer) -> SendOutcome {
    notePlainRoom()
    if sendPlain(message) { return .queued }
    return roomForSender() ?? append(message)
  }

  /// How much may be queued without another look, once a flush is under way to come: until the marks, the tick's share, a
  /// flush, another sender that waits, or the end.
  private func notePlainRoom() {
    guard isFlushScheduled, writers.isEmpty, canSend, !node.refusesSending else { return }
    if tick != node.tick {
      tick = node.tick
      sentInTick = 0
    }
    plainRoom = min(node.configuration.outboundHighWater - queued, Self.tickShare - sentInTick)
  }

  /// As ``send(_:)`` without regard to the high-water mark; never says `wait`.
  public func trySend(_ message: UnsafeRawBufferPointer) -> SendOutcome {
    guard canSend else { return .closed }
    guard !node.refusesSending else { return Self.tooEarly }
    guard queued < node.configuration.outboundHighWater * Self.hardCapFactor else { return .full }
    return append(message)
  }

  /// Queues raw bytes past the framing, under the same marks as ``send(_:)``.
  public func write(_ bytes: UnsafeRawBufferPointer) -> SendOutcome {
    if let outcome = roomForSender() { return outcome }
    outgoing.append(bytes)
    noteQueued(bytes.count)
    return .queued
  }

  private var canSend: Bool { isStreamAlive && phase != .gone }

  private static let tooEarly = SendOutcome.refused("nothing can be sent before the new code is in place")

  private func roomForSender() -> SendOutcome? {
    guard canSend else { return .closed }
    guard !node.refusesSending else { return Self.tooEarly }
    // Those that wait go first. Whose turn it is has it for one message: the next one goes behind the others.
    if !writers.isEmpty && !hasTurn { return .wait }
    hasTurn = false
    if queued >= node.configuration.outboundHighWater {
      flushNow()
      guard isStreamAlive else { return .closed }
      if queued >= node.configuration.outboundHighWater { return .wait }
    }
    if tick != node.tick {
      tick = node.tick
      sentInTick = 0
    }
    return sentInTick >= Self.tickShare ? .wait : nil
  }

  @inline(__always)
  private func append(_ message: UnsafeRawBufferPointer) -> SendOutcome {
    guard let framing else { return .refused("there is no codec yet; send raw bytes with write, or choose one") }
    if let problem = framing.problem(sending: message.count) { return .refused(problem) }
    let before = outgoing.count
    switch framing.kind {
    case .lengthPrefixed(.four, .big, false):
      appendPlain(message)
    case .lengthPrefixed(let width, let endian, let includesHeader):
      appendLength(message.count, width, endian, includesHeader)
      outgoing.append(message)
    case .lines(let delimiter):
      if message.firstIndex(of: delimiter, from: 0) != nil { return .refused("a line cannot contain its own delimiter") }
      outgoing.append(message)
      delimiter.withUnsafeBytes { outgoing.append($0) }
    case .bytes, .fixed, .external: outgoing.append(message)
    }
    messagesSent &+= 1
    bytesSent &+= UInt64(truncatingIfNeeded: message.count)
    noteQueued(outgoing.count - before)
    return .queued
  }

  private func appendLength(_ count: Int, _ width: Framing.Width, _ endian: Framing.Endian, _ includesHeader: Bool) {
    var value = UInt64(count)
    if width == .varint {
      // The header's own length counts too where it is included, and may make it longer.
      if includesHeader {
        var header = 1
        while UInt64(count + header) >> (7 * UInt64(header)) != 0 { header += 1 }
        value = UInt64(count + header)
      }
      repeat {
        let byte = UInt8(value & 0x7F) | (value > 0x7F ? 0x80 : 0)
        value >>= 7
        outgoing.room(1).storeBytes(of: byte, as: UInt8.self)
      } while value > 0
      return
    }
    if includesHeader { value += UInt64(width.rawValue) }
    let place = outgoing.room(width.rawValue)
    for index in 0..<width.rawValue {
      let shift = 8 * (endian == .big ? width.rawValue - 1 - index : index)
      place.storeBytes(of: UInt8(truncatingIfNeeded: value >> UInt64(shift)), toByteOffset: index, as: UInt8.self)
    }
  }

  @inline(__always)
  private func noteQueued(_ count: Int) {
    queuedTotal &+= UInt64(truncatingIfNeeded: count)
    sentInTick &+= count
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    node.flushLater(self)
  }

  /// A larger write is not kept waiting for others.
  private static let smallWrite = 4096

  /// Whether what is queued leaves with others' soon; there will be a turn for it, and no flush is to be scheduled until then.
  func waitsInLine() -> Bool {
    outgoing.count > 0 && outgoing.count <= Self.smallWrite && inFlight == 0 && isStreamAlive && stream.writesInTurn()
  }

  /// The scheduled flush, where others have one at the same time.
  func flushInTurn() {
    if !waitsInLine() { streamMayWrite() }
  }

  public func streamMayWrite() {
    isFlushScheduled = false
    flushNow()
  }

  /// Hands what is queued to the stream, if none is on its way.
  func flushNow() {
    plainRoom = 0
    guard inFlight == 0, outgoing.count > 0, isStreamAlive else { return }
    inFlight = outgoing.count
    if let tapped { tapped.sent(outgoing.view, self) }
    if let relayed { return hand(to: relayed) }
    // The stream copies; its answer may come before this returns, so the queue is emptied first.
    let view = outgoing.view
    lastUnwritten = view.count
    withExtendedLifetime(self) {
      isWritingOut = true
      stream.write(view)
      isWritingOut = false
      outgoing.removeAll()
      // The stream has its own copy of what the kernel did not take: megabytes must not be there twice until they are trimmed.
      if outgoing.isHuge { outgoing.releaseIfIdle() } else if outgoing.isLarge { node.trimLater(self) }
      if wroteWhileWritingOut {
        wroteWhileWritingOut = false
        streamWrote()
      }
    }
  }

  /// Its answer comes with a later job.
  private func hand(to relayed: RelayedStream) {
    lastUnwritten = inFlight
    if outgoing.isLarge { node.trimLater(self) }
    relayed.write(taking: &outgoing)
    streamWaits()
  }

  /// Waits for room in the queue: `true` when there is some, `false` when the connection is over. First come,
  /// first served; called once, later.
  public func whenWritable(_ run: @escaping (Bool) -> Void) -> WaitToken {
    waitForTurn { isOpen in
      run(isOpen)
      return true
    }
  }

  /// As ``whenWritable(_:)``; one that says false has not got what it waited for, and keeps its place.
  func waitForTurn(_ run: @escaping (Bool) -> Bool) -> WaitToken {
    lastWaiter += 1
    let id = lastWaiter
    plainRoom = 0
    writers.append(Writer(id: id, run: run))
    wakeWritersLater()
    return WaitToken { [self] in writers.removeAll { $0.id == id } }
  }

  /// Who waits for room. A function in a tuple would be wrapped once more each time it leaves the queue and goes back.
  struct Writer {
    let id: UInt64
    let run: (Bool) -> Bool
  }

  /// Where only this tick's share was used up: in the next one.
  private func wakeWritersLater() {
    guard inFlight == 0 || queued < node.configuration.outboundHighWater else { return }
    node.scheduler.defer { [self] in
      flushNow()
      wakeWriters()
    }
  }

  func wakeWriters() {
    guard !isWakingWriters else { return }
    isWakingWriters = true
    defer { isWakingWriters = false }
    // Each may fill the queue again; who is left waits for the next time.
    var count = writers.count
    while count > 0, queued < node.configuration.outboundHighWater || !canSend, let writer = writers.popFirst() {
      count -= 1
      hasTurn = true
      let isServed = writer.run(canSend)
      hasTurn = false
      guard !isServed else { continue }
      plainRoom = 0
      writers.prepend(writer)
      return wakeWritersLater()
    }
  }

  /// Waits until all that is queued now has been handed to the kernel; nil where it has.
  public func whenFlushed(_ run: @escaping (DisconnectReason?) -> Void) -> WaitToken {
    lastWaiter += 1
    let id = lastWaiter
    flushers.append((id, queuedTotal, run))
    if writtenTotal == queuedTotal || !isStreamAlive {
      node.scheduler.defer { [self] in wakeFlushers() }
    }
    return WaitToken { [self] in flushers.removeAll { $0.id == id } }
  }

  func wakeFlushers() {
    while let first = flushers.first, first.target <= writtenTotal || !isStreamAlive {
      flushers.removeFirst()
      first.run(first.target <= writtenTotal ? nil : reason ?? DisconnectReason(.write))
    }
  }
}

extension Connection {
  public func streamWrote() {
    if isWritingOut {
      wroteWhileWritingOut = true
      return
    }
    writtenTotal &+= UInt64(inFlight)
    inFlight = 0
    if outgoing.count > 0 { flushNow() }
    if !flushers.isEmpty { wakeFlushers() }
    if !writers.isEmpty, queued <= node.configuration.outboundLowWater { wakeWriters() }
  }
}
