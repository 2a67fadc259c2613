import DequeModule
import Glibc
import NIOCore
import NodeCore

/// A listening socket that accepts only as much as there is room for; the rest waits in the kernel's queue.
final class SocketListener: Listener {
  private let loop: any EventLoop
  private let wish: PeerAddress
  private let lingering: Lingering
  weak var delegate: (any ListenerDelegate)?
  private(set) var address: PeerAddress
  private var channel: (any Channel)?
  private var accepted = 0
  /// Let in, and not yet a stream.
  private var entering: Set<ObjectIdentifier> = []
  /// The socket file as it was made: another one of that name is not ours to remove.
  private var file: UnixSocketFile?
  let gate = AcceptGate()

  init(loop: any EventLoop, wish: PeerAddress, delegate: any ListenerDelegate, lingering: Lingering) {
    self.loop = loop
    self.lingering = lingering
    self.wish = wish
    self.delegate = delegate
    address = wish
    gate.listener = self
  }

  func opened(_ channel: any Channel) {
    self.channel = channel
    switch wish {
    case .ip: address = PeerAddress(channel.localAddress) ?? wish
    case .unix(let path): file = UnixSocketFile(path)
    case .name: break
    }
  }

  var hasWaiting: Bool { gate.isHolding }

  func setRoom(_ count: Int) {
    guard let channel else { return }
    try? channel.syncOptions?.setOption(.maxMessagesPerRead, value: UInt(max(1, min(count, 16))))
    gate.setRoom(count)
  }

  func close(completion: @escaping () -> Void) {
    guard let channel else { return completion() }
    self.channel = nil
    for _ in entering { delegate?.listenerLost(self) }
    entering = []
    delegate = nil
    gate.listener = nil
    // Only if it is ours still, and before the socket is closed: afterwards the name may be another listener's.
    if case .unix(let path) = wish, let file, file == UnixSocketFile(path) { unlink(path) }
    channel.close().assumeIsolated().whenComplete { _ in completion() }
  }

  func failed(_ error: any Error) {
    delegate?.listener(self, failed: .system(error, "accept on", address))
  }

  func letsIn(_ channel: any Channel) {
    entering.insert(ObjectIdentifier(channel))
    delegate?.listenerLetsIn(self)
    // It may break before it is up.
    channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
      if entering.remove(ObjectIdentifier(channel)) != nil { delegate?.listenerLost(self) }
    }
  }

  /// nil where the peer has gone before it was accepted: then the system knows its address no more.
  func accepted(_ channel: any Channel) -> SocketStream? {
    entering.remove(ObjectIdentifier(channel))
    let remote: PeerAddress
    if case .unix(let path) = wish {
      // The peers of a Unix socket have no names of their own.
      accepted += 1
      remote = .unix("\(path)#\(accepted)")
    } else {
      guard let address = PeerAddress(channel.remoteAddress) else { return nil }
      remote = address
    }
    return SocketStream(
      channel, local: PeerAddress(channel.localAddress) ?? address, remote: remote, lingering: lingering)
  }
}

/// Stands in the listening channel and lets connections in only while there is room.
///
/// A read that was asked for cannot be called off, so a connection may arrive when the room is gone again. It is held
/// here, not yet registered with the loop: its bytes stay in the kernel, as those of the connections behind it do. One is
/// asked for without room too, which is how it is known that somebody waits.
final class AcceptGate: ChannelInboundHandler {
  typealias InboundIn = any Channel
  typealias InboundOut = any Channel
  weak var listener: SocketListener?
  private var context: ChannelHandlerContext?
  private var room = 0
  private var isAsking = false
  private var isLettingIn = false
  private var isPausing = false
  private var held: Deque<NIOAny> = []
  var isHolding: Bool { !held.isEmpty }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func setRoom(_ room: Int) {
    self.room = room
    letIn()
    ask()
  }

  private func ask() {
    guard held.isEmpty, !isAsking, !isPausing, let context, context.channel.isActive else { return }
    isAsking = true
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    held.append(data)
    letIn()
  }

  /// Each one takes a place, which calls `setRoom` from in here.
  private func letIn() {
    guard !isLettingIn, let context else { return }
    isLettingIn = true
    while room > 0, let next = held.popFirst() {
      listener?.letsIn(unwrapInboundIn(next))
      context.fireChannelRead(next)
    }
    isLettingIn = false
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isAsking = false
    context.fireChannelReadComplete()
    ask()
  }

  func channelInactive(context: ChannelHandlerContext) {
    for channel in held { unwrapInboundIn(channel).close(promise: nil) }
    held = []
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    isAsking = false
    listener?.failed(error)
    guard !isPausing else { return }
    // No descriptors left, say. The read that failed is still asked for, so NIO would try it again and again; what makes
    // it let go of the socket until the next one is `autoRead` when it goes off.
    isPausing = true
    for isOn in [true, false] { try? context.channel.syncOptions?.setOption(.autoRead, value: isOn) }
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) {
      self.isPausing = false
      self.ask()
    }
  }
}

/// First in an accepted channel: waits until it is up, then makes it a stream.
final class AcceptedHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  private let listener: SocketListener

  init(_ listener: SocketListener) { self.listener = listener }

  func channelActive(context: ChannelHandlerContext) {
    let stream = listener.accepted(context.channel)
    guard let stream, let delegate = listener.delegate else {
      listener.delegate?.listenerLost(listener)
      context.close(promise: nil)
      return
    }
    do {
      try context.channel.pipeline.syncOperations.addHandler(stream)
      context.pipeline.syncOperations.removeHandler(self, promise: nil)
      delegate.listener(listener, accepted: stream)
    } catch {
      delegate.listenerLost(listener)
      context.close(promise: nil)
    }
  }
}
