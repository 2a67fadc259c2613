import NodeCore

@testable import NodeEngine

/// Sockets whose names are looked up for ever.
final class SilentNames: Transport, @unchecked Sendable {
  // Used on one loop.
  private var asked: [(Result<[PeerAddress], NodeError>) -> Void] = []
  private let sockets: any Transport

  init(_ sockets: any Transport) { self.sockets = sockets }

  /// Late, to all who asked.
  func answer() {
    for completion in asked { completion(.success([.ip(.loopback, port: 9)])) }
    asked = []
  }

  func resolve(
    _ address: PeerAddress, on scheduler: any Scheduler, completion: @escaping (Result<[PeerAddress], NodeError>) -> Void
  ) {
    if case .name = address { return asked.append(completion) }
    sockets.resolve(address, on: scheduler, completion: completion)
  }

  func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) -> (any PendingDial)? {
    sockets.dial(address, options: options, timeout: timeout, on: scheduler, completion: completion)
  }

  func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void
  ) {
    sockets.listen(on: address, options: options, delegate: delegate, on: scheduler, completion: completion)
  }
}
