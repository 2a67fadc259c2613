import Glibc
import NIOCore
import NodeCore

/// A listening socket that accepts only as much as there is room for; the rest waits in the kernel's queue.
final class SocketListener: Listener {
  private let loop: any EventLoop
  private let wish: PeerAddress
  weak var delegate: (any ListenerDelegate)?
  private(set) var address: PeerAddress
  private var channel: (any Channel)?
  private var accepted = 0
  let gate = AcceptGate()

  init(loop: any EventLoop, wish: PeerAddress, delegate: any ListenerDelegate) {
    self.loop = loop
    self.wish = wish
    self.delegate = delegate
    address = wish
    gate.listener = self
  }

  func opened(_ channel: any Channel) {
    self.channel = channel
    if case .ip = wish { address = PeerAddress(channel.localAddress) ?? wish }
  }

  func setRoom(_ count: Int) {
    guard let channel else { return }
    if count > 0 { try? channel.syncOptions?.setOption(.maxMessagesPerRead, value: UInt(min(count, 16))) }
    gate.setOpen(count > 0)
  }

  func close(completion: @escaping () -> Void) {
    guard let channel else { return completion() }
    self.channel = nil
    delegate = nil
    gate.listener = nil
    let wish = wish
    channel.close().assumeIsolated().whenComplete { _ in
      if case .unix(let path) = wish { unlink(path) }
      completion()
    }
  }

  func failed(_ error: any Error) {
    delegate?.listener(self, failed: .system(error, "accept on", address))
  }

  func accepted(_ channel: any Channel) -> SocketStream {
    let remote: PeerAddress
    if case .unix(let path) = wish {
      // The peers of a Unix socket have no names of their own.
      accepted += 1
      remote = .unix("\(path)#\(accepted)")
    } else {
      remote = PeerAddress(channel.remoteAddress) ?? .unix("")
    }
    return SocketStream(channel, local: PeerAddress(channel.localAddress) ?? address, remote: remote)
  }
}

/// Stands in the listening channel and asks it for more only while there is room.
final class AcceptGate: ChannelInboundHandler {
  typealias InboundIn = Any
  weak var listener: SocketListener?
  private var context: ChannelHandlerContext?
  private var isOpen = false
  private var isAsking = false

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func setOpen(_ isOpen: Bool) {
    self.isOpen = isOpen
    ask()
  }

  private func ask() {
    guard isOpen, !isAsking, let context, context.channel.isActive else { return }
    isAsking = true
    context.read()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isAsking = false
    context.fireChannelReadComplete()
    ask()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    isAsking = false
    listener?.failed(error)
    // No descriptors left, say: without a pause this would spin.
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) { self.ask() }
  }
}

/// First in an accepted channel: waits until it is up, then makes it a stream.
final class AcceptedHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  private let listener: SocketListener

  init(_ listener: SocketListener) { self.listener = listener }

  func channelActive(context: ChannelHandlerContext) {
    let stream = listener.accepted(context.channel)
    guard let delegate = listener.delegate else {
      context.close(promise: nil)
      return
    }
    do {
      try context.channel.pipeline.syncOperations.addHandler(stream)
      context.pipeline.syncOperations.removeHandler(self, promise: nil)
      delegate.listener(listener, accepted: stream)
    } catch {
      context.close(promise: nil)
    }
  }
}
