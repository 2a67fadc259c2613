import CEpoll
import Glibc
import NIOCore
import NodeCore

/// A listening socket that accepts only as much as there is room for; the rest waits in the kernel's queue.
final class EpollListener: EpollSource, Listener {
  @exclusivity(unchecked) private(set) var address: PeerAddress
  private let wish: PeerAddress
  @exclusivity(unchecked) private var delegate: (any ListenerDelegate)?
  private let file: UnixSocketFile?
  /// Its connections' own ends differ, and must be asked for.
  private let isWildcard: Bool
  private let ioLoops: IOLoops?
  @exclusivity(unchecked) private var room = 0
  @exclusivity(unchecked) private var accepted = 0
  /// The kernel may have connections that epoll will not tell of again.
  @exclusivity(unchecked) private var mayAccept = false
  @exclusivity(unchecked) private var pause: EpollTimer?

  /// Other sources want their turn after so many.
  private static let acceptsPerTurn = 64
  /// No descriptors left, say: without a pause this would spin.
  private static let pauseAfterError = Duration.milliseconds(100)

  private init(_ loop: EpollLoop, _ descriptor: Int32, _ wish: PeerAddress, _ delegate: any ListenerDelegate, _ ioLoops: IOLoops?)
  {
    self.ioLoops = ioLoops
    self.wish = wish
    self.delegate = delegate
    switch wish {
    case .unix(let path):
      address = wish
      file = UnixSocketFile(path)
    default:
      address = SystemAddress.local(descriptor) ?? wish
      file = nil
    }
    isWildcard = wish.ip?.isUnspecified ?? false
    super.init(loop, descriptor)
  }

  static func open(
    _ wish: PeerAddress, _ options: ListenOptions, _ delegate: any ListenerDelegate, _ loop: EpollLoop, _ ioLoops: IOLoops?
  ) throws(NodeError) -> EpollListener {
    let descriptor = try bind(wish, options)
    let isListening = listen(descriptor, Int32(clamping: options.backlog)) == 0
    let error = errno
    let listener = EpollListener(loop, descriptor, wish, delegate, ioLoops)
    guard isListening, loop.add(listener) else {
      let number = isListening ? errno : error
      listener.removeFile()
      Glibc.close(descriptor)
      throw .system(IOError(errnoCode: number, reason: "listen"), "listen on", wish)
    }
    return listener
  }

  private static func bind(_ wish: PeerAddress, _ options: ListenOptions) throws(NodeError) -> Int32 {
    let local = try SystemAddress(wish)
    if case .unix(let path) = wish {
      let descriptor = try UnixSocketFile.bind(path)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      return descriptor
    }
    do {
      // With TCP_NODELAY, which the connections inherit (tcp(7)).
      let descriptor = try SystemSocket.open(for: local)
      var error = SystemSocket.set(descriptor, SO_REUSEADDR, 1)
      if error == 0, options.reusePort { error = SystemSocket.set(descriptor, SO_REUSEPORT, 1) }
      if error == 0, local.withPointer({ Glibc.bind(descriptor, $0, $1) }) != 0 { error = errno }
      guard error == 0 else {
        Glibc.close(descriptor)
        throw IOError(errnoCode: error, reason: "bind")
      }
      return descriptor
    } catch {
      throw .system(error, "listen on", wish)
    }
  }

  func setRoom(_ count: Int) {
    room = count
    // Not at once: this is called for each connection that is let in.
    if count > 0, mayAccept { loop.goOn(self) }
  }

  var hasWaiting: Bool { mayAccept && SystemSocket.isReadable(descriptor) }

  override func ready(_ events: UInt32) {
    mayAccept = true
    accept()
  }

  override func again() { accept() }

  private func accept() {
    guard pause == nil, room > 0, mayAccept else { return }
    // An accept that finds nothing costs ten times as much as asking. Those that come later epoll tells of.
    let waiting = SystemSocket.waitingConnections(descriptor)
    let end = EpollLoop.clock() + LateWork.share
    for number in 1...Self.acceptsPerTurn {
      guard room > 0, mayAccept, let delegate else { return }
      var remote = SystemAddress()
      let connection = remote.fill { cepoll_accept(descriptor, $0, $1) }
      if connection >= 0 {
        if number == waiting { mayAccept = false }
        letIn(connection, remote, delegate)
        // A hook that took long: the others of the loop first.
        if EpollLoop.clock() >= end { break }
        continue
      }
      switch errno {
      case EAGAIN: mayAccept = false
      case EINTR: continue
      case let error:
        delegate.listener(self, failed: .system(IOError(errnoCode: error, reason: "accept"), "accept on", address))
        // One connection broke before it was accepted: the next one need not have.
        if error == ECONNABORTED { continue }
        rest()
      }
      return
    }
    if mayAccept { loop.goOn(self) }
  }

  private func letIn(_ connection: Int32, _ remote: SystemAddress, _ delegate: any ListenerDelegate) {
    let peer: PeerAddress
    if case .unix(let path) = wish {
      // The peers of a Unix socket have no names of their own.
      accepted += 1
      peer = .unix("\(path)#\(accepted)")
    } else {
      peer = remote.peer ?? .unix("")
    }
    let local = isWildcard ? SystemAddress.local(connection) ?? address : address
    delegate.listenerLetsIn(self)
    if let home = ioLoops?.next() {
      // A peer that is gone already: the I/O loop would say so too, but perhaps only after a handshake that needs no peer.
      let error = SystemSocket.pendingError(connection)
      let stream = RelayedStream(connection, local: local, remote: peer, on: loop, over: home)
      delegate.listener(self, accepted: stream)
      if error != 0 { loop.append(.action { stream.fail(.failed("recv", error, else: .read)) }) }
      return
    }
    let stream = EpollStream(loop, connection, local: local, remote: peer)
    guard loop.add(stream) else {
      let error = IOError(errnoCode: errno, reason: "epoll_ctl")
      Glibc.close(connection)
      delegate.listenerLost(self)
      delegate.listener(self, failed: .system(error, "accept on", address))
      return
    }
    delegate.listener(self, accepted: stream)
  }

  private func rest() {
    let end = EpollLoop.clock() + Self.pauseAfterError.wholeNanoseconds
    pause = loop.timers.add(at: end) { [self] in
      pause = nil
      loop.goOn(self)
    }
  }

  func close(completion: @escaping () -> Void) {
    end()
    completion()
  }

  override func loopEnded() { end() }

  private func end() {
    guard delegate != nil else { return }
    delegate = nil
    pause?.cancel()
    pause = nil
    removeFile()
    loop.close(self)
  }

  /// Only if it is ours still, and before the socket is closed: afterwards the name may be another listener's.
  private func removeFile() {
    if case .unix(let path) = wish, let file, file == UnixSocketFile(path) { unlink(path) }
  }
}
