import CEpoll
import Glibc
import NIOCore
import NodeCore

/// A socket that is being connected.
final class EpollDial: EpollSource, PendingDial {
  private let address: PeerAddress
  private let ioLoops: IOLoops?
  @exclusivity(unchecked) private var completion: ((Result<any ByteStream, NodeError>) -> Void)?
  @exclusivity(unchecked) private var timer: EpollTimer?

  private init(
    _ loop: EpollLoop, _ descriptor: Int32, _ address: PeerAddress, _ ioLoops: IOLoops?,
    _ completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) {
    self.address = address
    self.ioLoops = ioLoops
    self.completion = completion
    super.init(loop, descriptor)
  }

  /// Completes later, never before this returns.
  static func start(
    _ address: PeerAddress, _ options: DialOptions, _ timeout: Duration, _ loop: EpollLoop, _ ioLoops: IOLoops?,
    _ completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) throws(NodeError) -> EpollDial {
    let target = try SystemAddress(address)
    let local: SystemAddress?
    if let wish = options.localAddress { local = try SystemAddress(wish) } else { local = nil }
    do {
      let descriptor = try SystemSocket.open(for: target)
      let dial = EpollDial(loop, descriptor, address, ioLoops, completion)
      do {
        try dial.prepare(options, local)
        try dial.connect(to: target, timeout)
        return dial
      } catch {
        if dial.slot >= 0 { loop.close(dial) } else { Glibc.close(descriptor) }
        throw error
      }
    } catch {
      throw .system(error, "connect to", address)
    }
  }

  private func prepare(_ options: DialOptions, _ local: SystemAddress?) throws(IOError) {
    if options.reusePort {
      for option in [SO_REUSEADDR, SO_REUSEPORT] {
        let error = SystemSocket.set(descriptor, option, 1)
        guard error == 0 else { throw IOError(errnoCode: error, reason: "setsockopt") }
      }
    }
    guard let local else { return }
    guard local.withPointer({ bind(descriptor, $0, $1) }) == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
  }

  private func connect(to target: SystemAddress, _ timeout: Duration) throws(IOError) {
    let status = target.withPointer { Glibc.connect(descriptor, $0, $1) }
    // A signal that comes in between does not end the attempt (connect(2)).
    guard status == 0 || errno == EINPROGRESS || errno == EINTR else { throw IOError(errnoCode: errno, reason: "connect") }
    // Connected or not, epoll tells.
    guard loop.add(self) else { throw IOError(errnoCode: errno, reason: "epoll_ctl") }
    let (deadline, isOver) = EpollLoop.clock().addingReportingOverflow(timeout.wholeNanoseconds)
    timer = loop.timers.add(at: isOver ? .max : deadline) { [self] in
      timer = nil
      end(.system(ChannelError.connectTimeout(.nanoseconds(timeout.wholeNanoseconds)), "connect to", address))
    }
  }

  override func ready(_ events: UInt32) {
    let error = events & (CEPOLL_ERR | CEPOLL_HUP) == 0 ? 0 : SystemSocket.pendingError(descriptor)
    guard error == 0 else { return end(.system(IOError(errnoCode: error, reason: "connect"), "connect to", address)) }
    guard events & CEPOLL_OUT != 0, let completion else { return }
    stop()
    let local = SystemAddress.local(descriptor) ?? .unix("")
    if let home = ioLoops?.next() {
      loop.release(self)
      return completion(.success(RelayedStream(descriptor, local: local, remote: address, on: loop, over: home)))
    }
    let stream = EpollStream(loop, descriptor, local: local, remote: address)
    loop.replace(self, with: stream)
    completion(.success(stream))
    // Epoll will not say it again.
    if !stream.isDead { stream.ready(events) }
  }

  func cancel() {
    guard completion != nil else { return }
    stop()
    loop.close(self)
  }

  override func loopEnded() { end(NodeError(code: .shutdown, message: "the event loop has ended")) }

  private func end(_ error: NodeError) {
    guard let completion else { return }
    stop()
    loop.close(self)
    completion(.failure(error))
  }

  private func stop() {
    completion = nil
    timer?.cancel()
    timer = nil
  }
}
