import Logging
public import NodeCore

extension LocalNode: ListenerDelegate {
  /// Listens at one more address; the result is where it really is.
  public func listen(on wish: PeerAddress, completion: @escaping (Result<PeerAddress, NodeError>) -> Void) {
    guard phase == .running || phase == .starting else { return completion(.failure(shutdownError)) }
    let limit = configuration.maxListeners
    // Descriptors are the whole process's: a loop that listens would take them from its other nodes.
    guard listeners.count + listenersToCome < limit else {
      let message = "cannot listen on \(wish): max_listeners (\(limit)) is reached; stop_listening closes them"
      return completion(.failure(NodeError(code: .limit, message: message)))
    }
    listenersToCome += 1
    func over(_ result: Result<PeerAddress, NodeError>) {
      listenersToCome -= 1
      completion(result)
    }
    transport.resolve(wish, on: scheduler) { [self] result in
      switch result {
      case .failure(let error): over(.failure(error))
      case .success(let addresses): listen(onFirstOf: addresses[...], over)
      }
    }
  }

  /// A name may stand for addresses this machine does not have (an IPv6 one without IPv6): the next one is tried.
  private func listen(
    onFirstOf addresses: ArraySlice<PeerAddress>, _ completion: @escaping (Result<PeerAddress, NodeError>) -> Void
  ) {
    guard let first = addresses.first else {
      return completion(.failure(NodeError(code: .resolve, message: "no address to listen on")))
    }
    guard phase == .running || phase == .starting else { return completion(.failure(shutdownError)) }
    let options = ListenOptions(backlog: configuration.listenerBacklog, reusePort: configuration.reusePort)
    transport.listen(on: first, options: options, delegate: self, on: scheduler) { [self] result in
      switch result {
      case .failure(let error):
        guard addresses.count > 1, error.code == .address else { return completion(.failure(error)) }
        listen(onFirstOf: addresses.dropFirst(), completion)
      case .success(let listener):
        guard phase == .running || phase == .starting else {
          listener.close { [self] in completion(.failure(shutdownError)) }
          return
        }
        listeners.append(listener)
        admission.listening = self.addresses
        logger.info("listening on \(listener.address)")
        completion(.success(listener.address))
        updateAcceptRoom()
      }
    }
  }

  /// Established connections stay.
  public func stopListening(completion: @escaping () -> Void) {
    let closing = listeners
    listeners = []
    admission.listening = []
    closeAll(closing[...], completion)
  }

  private func closeAll(_ remaining: ArraySlice<any Listener>, _ completion: @escaping () -> Void) {
    guard let first = remaining.first else { return completion() }
    first.close { [self] in closeAll(remaining.dropFirst(), completion) }
  }

  public func listenerLetsIn(_ listener: any Listener) {
    entering += 1
    updateAcceptRoom()
  }

  public func listenerLost(_ listener: any Listener) {
    entering -= 1
    updateAcceptRoom()
  }

  public func listener(_ listener: any Listener, accepted stream: any ByteStream) {
    assertOnLoop()
    entering -= 1
    let address = stream.remoteAddress
    if let refusal = admission.reserve(address, side: .responder) {
      noteRejected(refusal)
      // As many as peers like: the counters have them all.
      let level: Logger.Level = isLogDue(&lastRejectionLog) ? .info : .debug
      logger.log(level: level, "rejected a connection: \(explain(refusal))", metadata: ["peer": "\(address)"])
      stream.abort()
      updateAcceptRoom()
      return
    }
    updateAcceptRoom()
    let connection = Connection(id: nextID(), stream: stream, address: address, side: .responder, isStream: false, node: self)
    setUp(connection) { _ in }
  }

  public func listener(_ listener: any Listener, failed error: NodeError) {
    heuristics.acceptErrors += 1
    // Whoever dials us can bring it about, as often as they like.
    if isLogDue(&lastAcceptErrorLog) { logger.warning("\(error)") }
  }

  private func noteRejected(_ refusal: Admission.Refusal) {
    switch refusal {
    case .perIP: heuristics.rejectedPerIP += 1
    case .perSubnet: heuristics.rejectedPerSubnet += 1
    case .duplicate: heuristics.rejectedDuplicate += 1
    case .shutdown: heuristics.rejectedShutdown += 1
    default: heuristics.rejectedMaxConnections += 1
    }
  }

  func explain(_ refusal: Admission.Refusal) -> String {
    switch refusal {
    case .shutdown: "the node is shutting down"
    case .own: "that is this node's own address"
    case .duplicate: "there is a connection to that address already"
    case .maxConnections: "max_connections (\(configuration.maxConnections)) is reached"
    case .perIP: "max_connections_per_ip (\(configuration.maxConnectionsPerIP)) is reached"
    case .perSubnet: "max_connections_per_subnet (\(configuration.maxConnectionsPerSubnet ?? 0)) is reached"
    case .maxConnecting: "max_connecting (\(configuration.maxConnecting)) is reached"
    }
  }

  var shutdownError: NodeError { NodeError(code: .shutdown, message: "the node \(name) is shutting down") }
}
