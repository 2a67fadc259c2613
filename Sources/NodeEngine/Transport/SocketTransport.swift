import Glibc
import NIOCore
import NIOPosix
public import NodeCore

/// Sockets over NIO: IPv4, IPv6 and Unix ones.
public final class SocketTransport: Transport {
  private let lingering: Lingering

  public convenience init() { self.init(lingering: .shared) }

  init(lingering: Lingering) { self.lingering = lingering }

  public func carried(byIOLoops count: Int) throws(NodeError) -> any Transport {
    throw NodeError(
      code: .configuration, message: "io_loops: only sockets over epoll have I/O loops, and these are NIO's; leave it out")
  }

  private func loop(of scheduler: any Scheduler) -> any EventLoop {
    guard let scheduler = scheduler as? LoopScheduler else {
      preconditionFailure("sockets need a LoopScheduler; a simulated scheduler needs its own transport")
    }
    return scheduler.loop
  }

  public func resolve(
    _ address: PeerAddress, on scheduler: any Scheduler,
    completion: @escaping (Result<[PeerAddress], NodeError>) -> Void
  ) {
    guard case .name(let name, let port) = address else { return completion(.success([address])) }
    // getaddrinfo blocks, so it runs on NIO's thread pool.
    NIOThreadPool.singleton.runIfActive(eventLoop: loop(of: scheduler)) { NameLookUp.addresses(of: name, port) }
      .assumeIsolated().whenComplete { completion(NameLookUp.result(name, (try? $0.get()) ?? [])) }
  }

  public func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) -> (any PendingDial)? {
    do throws(NodeError) {
      let target = try address.socketAddress()
      let dial = SocketDial()
      let shared = LoopBound(dial)
      var bootstrap = ClientBootstrap(group: loop(of: scheduler))
        .channelOption(.autoRead, value: false)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .channelOption(.maxMessagesPerRead, value: 4)
        .channelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 256 << 10))
        .connectTimeout(.nanoseconds(timeout.wholeNanoseconds))
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture { shared.value.began(channel) }
        }
      if case .ip = address { bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1) }
      if options.reusePort {
        bootstrap = bootstrap.channelOption(.socketOption(.so_reuseaddr), value: 1)
          .channelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: 1)
      }
      if let local = options.localAddress { bootstrap = bootstrap.bind(to: try local.socketAddress()) }
      bootstrap.connect(to: target).assumeIsolated().whenComplete { [lingering] result in
        dial.ended()
        switch result {
        case .success(let channel):
          let local = PeerAddress(channel.localAddress) ?? .unix("")
          let stream = SocketStream(channel, local: local, remote: address, lingering: lingering)
          do {
            try channel.pipeline.syncOperations.addHandler(stream)
            completion(.success(stream))
          } catch {
            completion(.failure(.system(error, "connect to", address)))
          }
        case .failure(let error): completion(.failure(.system(error, "connect to", address)))
        }
      }
      return dial
    } catch {
      completion(.failure(error))
      return nil
    }
  }

  public func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void
  ) {
    let loop = loop(of: scheduler)
    do throws(NodeError) {
      let target = try address.socketAddress()
      let listener = SocketListener(loop: loop, wish: address, delegate: delegate, lingering: lingering)
      let shared = LoopBound(listener)
      var bootstrap = ServerBootstrap(group: loop, childGroup: loop)
        .serverChannelOption(.backlog, value: CInt(options.backlog))
        .serverChannelOption(.autoRead, value: false)
        .serverChannelOption(.maxMessagesPerRead, value: 16)
        .serverChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(shared.value.gate) }
        }
        .childChannelOption(.autoRead, value: false)
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .childChannelOption(.maxMessagesPerRead, value: 4)
        .childChannelOption(
          .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 256 << 10)
        )
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(AcceptedHandler(shared.value))
          }
        }
      if case .ip = address {
        bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
          .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      }
      if options.reusePort {
        bootstrap = bootstrap.serverChannelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: 1)
      }
      let bound: EventLoopFuture<any Channel>
      if case .unix(let path) = address {
        bound = bootstrap.withBoundSocket(try UnixSocketFile.bind(path))
      } else {
        bound = bootstrap.bind(to: target)
      }
      bound.assumeIsolated().whenComplete { result in
        switch result {
        case .success(let channel):
          listener.opened(channel)
          completion(.success(listener))
        case .failure(let error): completion(.failure(.system(error, "listen on", address)))
        }
      }
    } catch {
      completion(.failure(error))
    }
  }
}
