import Glibc
import NIOCore
import NIOPosix
import NodeCore

/// A NIO channel as a stream of bytes. Reads only when told to; one write is under way at a time.
final class SocketStream: ChannelInboundHandler, ByteStream {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let channel: any Channel
  let localAddress: PeerAddress
  let remoteAddress: PeerAddress
  /// Strong until the stream ends: a weak one would make every retain of the connection go the slow way.
  var delegate: (any ByteStreamDelegate)?
  private var context: ChannelHandlerContext?
  private var buffer = ByteBuffer()
  private var isReading = false
  private var hasReadOutstanding = false
  private var isWriting = false
  /// Closed, but still taking (and dropping) what the peer sends: one of those that ``Lingering`` counts.
  private var isDiscarding: Bool { lingeringEnd != nil }
  private var lingeringEnd: Scheduled<Void>?
  private let lingering: Lingering
  private var isDead = false

  init(_ channel: any Channel, local: PeerAddress, remote: PeerAddress, lingering: Lingering) {
    self.channel = channel
    self.lingering = lingering
    localAddress = local
    remoteAddress = remote
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  // Reading

  func setReading(_ isOn: Bool) {
    guard isReading != isOn else { return }
    isReading = isOn
    if isOn { requestRead() }
  }

  private func requestRead() {
    guard !hasReadOutstanding, !isDead, let context else { return }
    hasReadOutstanding = true
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDiscarding else { return }
    unwrapInboundIn(data).withUnsafeReadableBytes { delegate?.streamReceived($0) }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    hasReadOutstanding = false
    if isReading || isDiscarding { requestRead() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .inputClosed? = event as? ChannelEvent else { return }
    if isDiscarding {
      finishClosing()
    } else {
      delegate?.streamEnded()
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    die(DisconnectReason(.reset, message: "the connection was closed by the peer"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let number = (error as? IOError)?.errnoCode
    let kind: DisconnectReason.Kind = number == ECONNRESET || number == EPIPE ? .reset : .read
    die(DisconnectReason(kind, message: "\(error)"))
    context.close(promise: nil)
  }

  private func die(_ reason: DisconnectReason) {
    guard !isDead else { return }
    isReading = false
    let delegate = delegate
    markDead()
    delegate?.streamFailed(reason)
  }

  // Writing

  func write(_ bytes: UnsafeRawBufferPointer) {
    guard !isDead, let context else { return }
    precondition(!isWriting, "one write at a time")
    isWriting = true
    // NIO has let go of the last buffer by now, so clearing keeps its storage.
    buffer.clear(minimumCapacity: bytes.count)
    buffer.writeBytes(bytes)
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self] result in
      isWriting = false
      switch result {
      case .success: delegate?.streamWrote()
      case .failure(let error):
        let number = (error as? IOError)?.errnoCode
        let kind: DisconnectReason.Kind = number == ECONNRESET || number == EPIPE ? .reset : .write
        die(DisconnectReason(kind, message: "\(error)"))
        context.close(promise: nil)
      }
    }
    context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
    if isWriting {
      if !isDead { delegate?.streamWaits() }
    } else if buffer.capacity > 64 << 10 {
      buffer = ByteBuffer()
    }
  }

  var unwritten: Int {
    guard isWriting, !isDead else { return 0 }
    return (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  // Ending

  func close() {
    guard !isDead, !isDiscarding, let context else { return }
    delegate = nil
    guard lingering.begin() else { return finishClosing() }
    let time = TimeAmount.nanoseconds(lingering.time.wholeNanoseconds)
    lingeringEnd = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in finishClosing() }
    context.close(mode: .output, promise: nil)
    requestRead()
  }

  private func finishClosing() {
    guard !isDead else { return }
    markDead()
    context?.close(promise: nil)
  }

  /// The one place where a stream ends, so that its lingering is given back once.
  private func markDead() {
    isDead = true
    delegate = nil
    guard let lingeringEnd else { return }
    lingeringEnd.cancel()
    self.lingeringEnd = nil
    lingering.end()
  }

  func abort() {
    guard !isDead, let context else { return }
    markDead()
    // Fails on a Unix socket, which has no reset: its peer sees the end.
    _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    context.close(promise: nil)
  }

  func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError) {
    guard let options = channel.syncOptions, !isDead else { throw .closed(remoteAddress) }
    let option = try StreamOption(name, value)
    do {
      switch option.name {
      case .nodelay: try options.setOption(.tcpOption(.tcp_nodelay), value: .init(option.amount))
      case .keepalive: try options.setOption(.socketOption(.so_keepalive), value: .init(option.amount))
      case .sendBuffer: try options.setOption(.socketOption(.so_sndbuf), value: .init(option.amount))
      case .receiveBuffer: try options.setOption(.socketOption(.so_rcvbuf), value: .init(option.amount))
      }
    } catch {
      throw .refusedOption(name, error)
    }
  }
}
