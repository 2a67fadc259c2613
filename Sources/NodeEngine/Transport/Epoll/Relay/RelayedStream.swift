import DequeModule
import NIOCore
import NodeCore
import Synchronization

/// The node's half of a stream that an I/O loop reads and writes: takes what that hands over, gives it what is to be written.
///
/// Used on the node's loop only; its counterpart is ``StreamRelay``.
final class RelayedStream: ByteStream, @unchecked Sendable {
  // Unchecked: the relay holds it only to send it back here.

  let loop: EpollLoop
  let localAddress: PeerAddress
  let remoteAddress: PeerAddress
  /// Strong until the stream ends, as every stream's.
  var delegate: (any ByteStreamDelegate)?
  private let home: IOLoop
  private let relay: StreamRelay
  private let channel: RelayChannel
  private let outbound = OutboundBuffer()
  private var isWriting = false
  /// Handed over, and not handled yet because nobody reads.
  private var received: Deque<ReceivedBytes> = []
  /// The connection has received so many bytes.
  private var handedOut: UInt64 = 0
  private var isCut = false
  private var isReading = false
  private var hasStarted = false
  private var isHandingOut = false
  private var isHandingOutLater = false
  private var hasEnded = false
  private var isEndTold = false
  private var failure: DisconnectReason?
  private var isDead = false

  /// Owns the descriptor, which no loop watches yet.
  init(_ descriptor: Int32, local: PeerAddress, remote: PeerAddress, on loop: EpollLoop, over home: IOLoop) {
    self.loop = loop
    self.home = home
    localAddress = local
    remoteAddress = remote
    channel = RelayChannel(descriptor)
    relay = StreamRelay(EpollStream(home.loop, descriptor, local: local, remote: remote), channel)
    home.streams.wrappingAdd(1, ordering: .relaxed)
    loop.relayed[ObjectIdentifier(self)] = self
    relay.post { [self] in $0.open(for: self) }
  }

  // Reading

  func setReading(_ isOn: Bool) {
    guard isReading != isOn, !isDead else { return }
    isReading = isOn
    guard isOn else { return }
    if !hasStarted {
      hasStarted = true
      relay.post { $0.startReading() }
    }
    guard !received.isEmpty || hasEnded, !isHandingOutLater else { return }
    isHandingOutLater = true
    // Not at once: this is called while bytes are handled.
    loop.append(
      .action { [self] in
        isHandingOutLater = false
        handOut()
      })
  }

  /// Lets the I/O loop cut frames, from behind what the connection has received and used up; nil: none any more.
  func cut(by framing: Framing?, unused: Int) {
    guard !isDead, framing != nil || isCut else { return }
    isCut = framing != nil
    // What is left over may end anywhere.
    let framing = unused == 0 ? framing : nil
    relay.post { [handedOut] in $0.cut(by: framing, from: handedOut) }
  }

  func takeMail() {
    let mail = channel.take()
    guard !isDead else { return }
    for bytes in mail.received { received.gather(bytes) }
    if mail.hasEnded { hasEnded = true }
    if let reason = mail.failure { failure = reason }
    if mail.hasWritten {
      isWriting = false
      delegate?.streamWrote()
    }
    handOut()
  }

  private func handOut() {
    guard !isHandingOut, !isDead else { return }
    isHandingOut = true
    while isReading, let bytes = received.popFirst() {
      handedOut &+= UInt64(bytes.view.count)
      delegate?.streamReceived(bytes.view)
      if channel.handled(bytes.view.count), !isDead { relay.post { $0.startReading() } }
    }
    isHandingOut = false
    guard !isDead else { return }
    // Where nobody reads, what was received before goes with it: so it is with a socket of one's own loop.
    if let failure { return die(failure) }
    guard hasEnded, isReading, !isEndTold else { return }
    isEndTold = true
    delegate?.streamEnded()
  }

  // Writing

  /// Takes the bytes over without a copy; the caller gets an empty buffer for them.
  func write(taking bytes: inout Bytes) {
    guard !isDead else { return }
    precondition(!isWriting, "one write at a time")
    isWriting = true
    swap(&bytes, &outbound.bytes)
    channel.unwritten.store(outbound.bytes.count, ordering: .relaxed)
    relay.post { [outbound] in $0.write(outbound) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    var copy = Bytes()
    copy.append(bytes)
    write(taking: &copy)
  }

  var unwritten: Int { isWriting && !isDead ? channel.unwritten.load(ordering: .relaxed) : 0 }

  /// Gives large memory back where nothing is being written.
  func releaseIfIdle() {
    if !isWriting { outbound.bytes.releaseIfIdle() }
  }

  // Ending

  func close() {
    guard !isDead else { return }
    letGo()
    relay.post { $0.close() }
  }

  func abort() {
    guard !isDead else { return }
    letGo()
    relay.post { $0.abort() }
  }

  private func die(_ reason: DisconnectReason) {
    let delegate = delegate
    letGo()
    delegate?.streamFailed(reason)
  }

  /// Ends it at once, and tells.
  func fail(_ reason: DisconnectReason) {
    let delegate = delegate
    abort()
    delegate?.streamFailed(reason)
  }

  /// The node's loop is over.
  func loopEnded() { fail(DisconnectReason(.shutdown, message: "the event loop has ended")) }

  private func letGo() {
    isDead = true
    delegate = nil
    received = []
    loop.relayed[ObjectIdentifier(self)] = nil
    home.streams.wrappingSubtract(1, ordering: .relaxed)
  }

  func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError) {
    guard !isDead else { throw .closed(remoteAddress) }
    let option = try StreamOption(name, value)
    guard let error = channel.withDescriptor({ SystemSocket.set($0, option) }) else { throw .closed(remoteAddress) }
    if error != 0 { throw .refusedOption(name, IOError(errnoCode: error, reason: "setsockopt")) }
  }
}
