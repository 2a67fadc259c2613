import Logging
public import NodeCore

/// A dial that can be called off.
public final class DialToken {
  fileprivate(set) var isOver = false
  fileprivate var onCancel: ((NodeError) -> Void)?

  /// Its completion is called with `cancelled`; the reservation is free.
  public func cancel() { end(NodeError(code: .cancelled, message: "the dial was cancelled")) }

  func end(_ error: NodeError) {
    guard !isOver else { return }
    onCancel?(error)
  }
}

extension LocalNode {
  /// Dials and shakes hands; the result is a live connection. Does not wait for `on_connect`.
  ///
  /// The completion is called once, on the loop; its errors are those of ``Node/connect(to:options:)``.
  @discardableResult
  public func connect(
    to address: PeerAddress, options: DialOptions = DialOptions(),
    completion: @escaping (Result<Connection, NodeError>) -> Void
  ) -> DialToken {
    dial(address, options, isStream: false, completion)
  }

  /// Opens a plain stream that belongs to the caller: counted in the limits, without handshake and hooks.
  @discardableResult
  public func open(
    to address: PeerAddress, options: DialOptions = DialOptions(), framing: Framing? = nil,
    completion: @escaping (Result<Connection, NodeError>) -> Void
  ) -> DialToken {
    if let problem = framing?.problem {
      let token = DialToken()
      token.isOver = true
      completion(.failure(NodeError(code: .configuration, message: problem)))
      return token
    }
    return dial(address, options, isStream: true) { result in
      if case .success(let connection) = result { connection.framing = framing }
      completion(result)
    }
  }

  private func dial(
    _ wish: PeerAddress, _ options: DialOptions, isStream: Bool,
    _ completion: @escaping (Result<Connection, NodeError>) -> Void
  ) -> DialToken {
    let token = DialToken()
    lastID += 1
    let number = lastID
    dials[number] = token
    func finish(_ result: Result<Connection, NodeError>) {
      guard !token.isOver else { return }
      token.isOver = true
      token.onCancel = nil
      dials[number] = nil
      completion(result)
    }
    token.onCancel = { finish(.failure($0)) }
    guard phase == .running || phase == .starting else {
      finish(.failure(shutdownError))
      return token
    }
    let lookUp = boundLookUp(of: wish, options, finish)
    transport.resolve(wish, on: scheduler) { [self] result in
      lookUp?.cancel()
      guard !token.isOver else { return }
      switch result {
      case .failure(let error): finish(.failure(error))
      case .success(let addresses): attempt(addresses[...], options, isStream, token, finish)
      }
    }
    return token
  }

  /// A name server that does not answer holds a dial up no longer than a peer that does not; nil for what is no name.
  private func boundLookUp(
    of wish: PeerAddress, _ options: DialOptions, _ finish: @escaping (Result<Connection, NodeError>) -> Void
  ) -> (any ScheduledTimer)? {
    guard case .name(let name, _) = wish else { return nil }
    let bound = options.timeout ?? configuration.connectionTimeout
    return scheduler.schedule(after: bound) {
      let seconds = Double(bound.wholeNanoseconds) / 1e9
      finish(
        .failure(
          NodeError(code: .timeout, message: "cannot connect to \(wish): no address was found for \(name) within \(seconds) s")))
    }
  }

  /// Tries a name's addresses one after the other; only the last failure is told.
  private func attempt(
    _ addresses: ArraySlice<PeerAddress>, _ options: DialOptions, _ isStream: Bool, _ token: DialToken,
    _ finish: @escaping (Result<Connection, NodeError>) -> Void
  ) {
    let address = addresses.first!
    if let refusal = admission.reserve(address, side: .initiator) {
      return finish(.failure(refusedDial(address, refusal)))
    }
    updateAcceptRoom()
    var isReserved = true
    func release() {
      guard isReserved else { return }
      isReserved = false
      releaseReservation(address)
    }
    var pending: (any PendingDial)?
    token.onCancel = { error in
      release()
      // After it is over: the transport may complete from inside.
      finish(.failure(error))
      pending?.cancel()
    }
    let timeout = options.timeout ?? configuration.connectionTimeout
    pending = transport.dial(address, options: options, timeout: timeout, on: scheduler) { [self] result in
      switch result {
      case .failure(let error):
        guard !token.isOver else { return }
        release()
        if addresses.count > 1, error.code != .cancelled {
          attempt(addresses.dropFirst(), options, isStream, token, finish)
        } else {
          finish(.failure(error))
        }
      case .success(let stream):
        guard !token.isOver else { return stream.abort() }
        // Where nobody listens on a port the system gives out, it may give the dialling socket that very port: TCP then
        // connects it to itself (RFC 9293, 3.5, simultaneous open).
        guard stream.localAddress != address else {
          stream.abort()
          release()
          return finish(.failure(.refusedByItself(address)))
        }
        let connection = Connection(
          id: nextID(), stream: stream, address: address, side: .initiator, isStream: isStream, node: self)
        token.onCancel = { [self] error in
          rejectSetUp(connection, error)
        }
        // From here on the set-up owns the reservation.
        setUp(connection) { finish($0.map { connection }) }
      }
    }
  }

  private func refusedDial(_ address: PeerAddress, _ refusal: Admission.Refusal) -> NodeError {
    let code: NodeError.Code
    switch refusal {
    case .shutdown: code = .shutdown
    case .own: code = .own
    case .duplicate: code = .duplicate
    default:
      code = .limit
      heuristics.dialsRefused += 1
    }
    return NodeError(code: code, message: "cannot connect to \(address): \(explain(refusal))")
  }

  func releaseReservation(_ address: PeerAddress) {
    admission.release(address)
    updateAcceptRoom()
  }
}
