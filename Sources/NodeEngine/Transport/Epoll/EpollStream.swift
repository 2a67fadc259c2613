import CEpoll
import Glibc
import NIOCore
import NodeCore

/// A connected socket as a stream of bytes. Reads only when told to; one write is under way at a time.
///
/// Epoll tells each change once, so what it said is kept in flags, and turning reading on and off costs no system call.
final class EpollStream: EpollSource, ByteStream {
  let localAddress: PeerAddress
  let remoteAddress: PeerAddress
  // Strong: the cycle with the connection ends when the stream does, which every connection sees to.
  // None of these is ever lent out across a call, so checking each access at run time would find nothing.
  @exclusivity(unchecked) var delegate: (any ByteStreamDelegate)?
  @exclusivity(unchecked) private var isReading = false
  /// The kernel may have bytes, an end or an error that epoll will not tell of again.
  @exclusivity(unchecked) private(set) var mayRead = false
  /// A read that comes back short is not the last: the peer has closed its side, or reads stop at an urgent byte, which
  /// nobody gets; at a Unix socket also behind bytes that a descriptor came with, and nothing tells of that. (The
  /// descriptor itself is closed by the kernel: nobody gives it room.)
  @exclusivity(unchecked) private var readsToTheEnd = false
  /// The end was read, or will not be: the socket has failed.
  @exclusivity(unchecked) private var hasEnded = false
  /// Closed, but still taking what the peer sends.
  @exclusivity(unchecked) var isDiscarding = false
  @exclusivity(unchecked) var isDead = false
  /// What the kernel has not taken of the write under way.
  @exclusivity(unchecked) var rest: UnwrittenBytes?
  @exclusivity(unchecked) var lingering: EpollTimer?
  @exclusivity(unchecked) private var footprint = Footprint()
  /// Read by itself, with more room than a batch has, so many times more: there was much the last time.
  @exclusivity(unchecked) private var readsAlone: UInt8 = 0
  private static let readsAloneAfterMuch: UInt8 = 16
  /// When there was something to read last.
  @exclusivity(unchecked) private var lastTurn: UInt64 = 0
  private static let warmTurns: UInt64 = 32
  /// Where the node lives on another loop: what hears of more than a delegate does.
  @exclusivity(unchecked) var relay: StreamRelay?

  /// A peer that floods gives way to the loop's other sources after so many full reads.
  private static let readsPerTurn = 2

  init(_ loop: EpollLoop, _ descriptor: Int32, local: PeerAddress, remote: PeerAddress) {
    localAddress = local
    remoteAddress = remote
    if case .unix = remote { readsToTheEnd = true }
    super.init(loop, descriptor)
  }

  override func ready(_ events: UInt32) {
    let hangUp = CEPOLL_RDHUP | CEPOLL_HUP | CEPOLL_ERR
    if events & CEPOLL_OUT != 0, rest != nil { writeRest() }
    guard events & (CEPOLL_IN | CEPOLL_PRI | hangUp) != 0, !isDead else { return }
    mayRead = true
    fetch()
    if events & (hangUp | CEPOLL_PRI) != 0 { readsToTheEnd = true }
    if isReading, !hasEnded {
      if readsWithOthers { loop.batch.add(self) } else { read() }
    } else if events & (CEPOLL_ERR | CEPOLL_HUP) != 0 {
      // Nobody reads, so this is the only chance to learn of a reset.
      let error = SystemSocket.pendingError(descriptor)
      if error != 0 { fail(error, "recv", .read) }
    }
  }

  /// Has the processor fetch what handling the bytes touches. Where others are read before they are handled, or this was not long
  /// ago, there is nothing to be gained.
  private func fetch() {
    defer { lastTurn = loop.turn }
    guard loop.hasOneEvent, loop.turn &- lastTurn > Self.warmTurns else { return }
    footprint.places.withUnsafeBufferPointer { cepoll_fetch($0.baseAddress, $0.count) }
  }

  // Reading

  func setReading(_ isOn: Bool) {
    guard isReading != isOn, !isDiscarding, !isDead else { return }
    isReading = isOn
    // Not at once: this is called while bytes are handled.
    if isOn, mayRead, !hasEnded { loop.goOn(self) }
  }

  /// Whether there may be something to read, and somebody for it.
  var wantsToRead: Bool { isReading && mayRead && !hasEnded && !isDead }

  /// What is short and can wait for others of this tick: see ``ReadBatch``.
  private var readsWithOthers: Bool {
    readsAlone == 0 && !(loop.hasOneEvent || readsToTheEnd || isDiscarding)
  }

  override func again() { readAlone() }

  func readAlone() {
    if wantsToRead { read() }
  }

  private func read() {
    for _ in 0..<Self.readsPerTurn {
      // Those that were told of before come first, and may use the buffer.
      loop.batch.handle()
      guard wantsToRead else { return }
      // Looked up each time: a relay may keep it.
      let buffer = loop.readBuffer
      let count = recv(descriptor, buffer, EpollLoop.readSize, 0)
      guard count > 0 else {
        let error = errno
        if count < 0, error == EINTR { continue }
        return noteNothing(count < 0 ? -Int(error) : 0)
      }
      loop.noteRead(count)
      // Less than was asked for: that was all, until epoll tells of more.
      if count < EpollLoop.readSize, !readsToTheEnd { mayRead = false }
      if count >= ReadBatch.readSize {
        readsAlone = Self.readsAloneAfterMuch
      } else if readsAlone > 0 {
        readsAlone -= 1
      }
      handOut(UnsafeRawBufferPointer(start: buffer, count: count))
    }
    if wantsToRead { loop.goOn(self) }
  }

  /// What a read of a batch came to: bytes, 0 at the end, or an error's number below 0.
  func received(_ result: Int, _ buffer: UnsafeMutableRawPointer) {
    guard !isDead else { return }
    guard result > 0 else { return noteNothing(result) }
    loop.noteRead(result)
    if result < ReadBatch.readSize { mayRead = false } else { readsAlone = Self.readsAloneAfterMuch }
    handOut(UnsafeRawBufferPointer(start: buffer, count: result))
    if wantsToRead { loop.goOn(self) }
  }

  /// A read brought no bytes.
  private func noteNothing(_ result: Int) {
    switch -Int32(result) {
    case 0:
      hasEnded = true
      mayRead = false
      ended()
    case EAGAIN:
      mayRead = false
      relay?.streamRanDry()
    case EINTR: loop.goOn(self)
    case let error: fail(error, "recv", .read)
    }
  }

  func handOut(_ bytes: UnsafeRawBufferPointer) {
    if !isDead, !isDiscarding { delegate?.streamReceived(bytes) }
  }

  private func ended() {
    if !isDiscarding {
      delegate?.streamEnded()
    } else if rest == nil {
      finish()
    }
  }

  var isEnded: Bool { hasEnded }

  override func loopEnded() {
    die(DisconnectReason(.shutdown, message: "the event loop has ended"))
  }

  func discardFromNowOn() {
    isDiscarding = true
    isReading = true
    if mayRead { loop.goOn(self) }
  }

  // Writing

  func note(_ footprint: Footprint) { self.footprint = footprint }

  func writesInTurn() -> Bool { loop.line.add(self) }

  func giveTurns() { loop.line.write() }

  func write(_ bytes: UnsafeRawBufferPointer) {
    guard !isDead, !isDiscarding else { return }
    precondition(rest == nil, "one write at a time")
    guard let start = bytes.baseAddress, bytes.count > 0 else {
      delegate?.streamWrote()
      return
    }
    if loop.line.gather(bytes, of: self) { return }
    let count = Glibc.send(descriptor, start, bytes.count, Int32(MSG_NOSIGNAL))
    if count == bytes.count {
      delegate?.streamWrote()
    } else {
      keep(bytes, after: count < 0 ? -Int(errno) : count)
    }
  }

  /// The kernel has not taken all of a write: so many bytes, or an error's number below 0.
  func keep(_ bytes: UnsafeRawBufferPointer, after result: Int) {
    guard !isDead else { return }
    rest = UnwrittenBytes(UnsafeRawBufferPointer(rebasing: bytes[max(0, result)...]))
    delegate?.streamWaits()
    let error = -Int32(min(0, result))
    guard error != 0, error != EAGAIN else { return }
    if error == EINTR { return loop.append(.action { [self] in writeRest() }) }
    // The kernel tells an error once: a read would find an end next, and not the reset that it was.
    hasEnded = true
    mayRead = false
    // Later: the caller is in the middle of its own work.
    loop.append(.action { [self] in fail(error, "send", .write) })
  }

  private func writeRest() {
    guard let pending = rest, !isDead else { return }
    while true {
      let count = Glibc.send(descriptor, pending.start, pending.count, Int32(MSG_NOSIGNAL))
      if count == pending.count {
        rest = nil
        if isDiscarding { return finishWriting() }
        delegate?.streamWrote()
        return
      }
      if count > 0 {
        pending.removeFirst(count)
        relay?.noteUnwritten()
        return
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: return
      case let error: return fail(error, "send", .write)
      }
    }
  }

  var unwritten: Int { rest?.count ?? 0 }
}

/// The end of a write that the kernel did not take at once.
final class UnwrittenBytes {
  private let bytes: UnsafeMutableRawBufferPointer
  private var taken = 0

  init(_ source: UnsafeRawBufferPointer) {
    bytes = .allocate(byteCount: source.count, alignment: 1)
    bytes.copyMemory(from: source)
  }

  deinit { bytes.deallocate() }

  var start: UnsafeMutableRawPointer { bytes.baseAddress! + taken }
  var count: Int { bytes.count - taken }
  func removeFirst(_ amount: Int) { taken += amount }
}
