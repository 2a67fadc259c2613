import NIOPosix
public import NodeCore

/// Sockets over epoll: IPv4, IPv6 and Unix ones.
public final class EpollTransport: Transport {
  private let ioLoops: IOLoops?

  public init() { ioLoops = nil }

  /// Streams that so many other loops read and write; 0: none.
  ///
  /// - Throws: code `system` where there are no descriptors or threads left for them.
  package init(ioLoops count: Int) throws(NodeError) { ioLoops = count > 0 ? try IOLoops(count) : nil }

  init(ioLoops: IOLoops) { self.ioLoops = ioLoops }

  public func carried(byIOLoops count: Int) throws(NodeError) -> any Transport {
    do throws(NodeError) {
      return try EpollTransport(ioLoops: count)
    } catch {
      throw NodeError(code: error.code, message: "io_loops: \(error.message)")
    }
  }

  private func loop(of scheduler: any Scheduler) -> EpollLoop {
    guard let loop = scheduler as? EpollLoop else {
      preconditionFailure("these sockets need an EpollLoop; other schedulers need their own transport")
    }
    return loop
  }

  public func resolve(
    _ address: PeerAddress, on scheduler: any Scheduler,
    completion: @escaping (Result<[PeerAddress], NodeError>) -> Void
  ) {
    guard case .name(let name, let port) = address else { return completion(.success([address])) }
    let completion = LoopBound(completion)
    // getaddrinfo blocks, so it runs on NIO's thread pool.
    NIOThreadPool.singleton.submit { state in
      let found = state == .active ? NameLookUp.addresses(of: name, port) : []
      scheduler.execute { completion.value(NameLookUp.result(name, found)) }
    }
  }

  public func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) -> (any PendingDial)? {
    do throws(NodeError) {
      return try EpollDial.start(address, options, timeout, loop(of: scheduler), ioLoops, completion)
    } catch {
      scheduler.defer { completion(.failure(error)) }
      return nil
    }
  }

  public func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void
  ) {
    do throws(NodeError) {
      completion(.success(try EpollListener.open(address, options, delegate, loop(of: scheduler), ioLoops)))
    } catch {
      completion(.failure(error))
    }
  }
}
