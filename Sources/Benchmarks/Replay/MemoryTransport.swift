import NodeCore
import NodeEngine

/// Streams between the nodes of one ``ReplayLoop``: what one writes the other has received in the next round.
///
/// Unchecked: used on the loop only.
final class MemoryTransport: Transport, @unchecked Sendable {
  fileprivate var listeners: [PeerAddress: MemoryListener] = [:]
  private var lastPort: UInt16 = 0

  private func nextAddress() -> PeerAddress {
    lastPort += 1
    return .ip(.loopback, port: lastPort)
  }

  func resolve(
    _ address: PeerAddress, on scheduler: any Scheduler,
    completion: @escaping (Result<[PeerAddress], NodeError>) -> Void
  ) {
    completion(.success([address]))
  }

  func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) -> (any PendingDial)? {
    guard let listener = listeners[address] else {
      completion(.failure(NodeError(code: .refused, message: "nobody listens on \(address)")))
      return nil
    }
    let near = MemoryStream(local: nextAddress(), remote: address, scheduler)
    let far = MemoryStream(local: address, remote: near.localAddress, scheduler)
    near.other = far
    far.other = near
    scheduler.defer {
      listener.accept(far)
      completion(.success(near))
    }
    return nil
  }

  func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void
  ) {
    let listener = MemoryListener(nextAddress(), self, delegate)
    listeners[listener.address] = listener
    completion(.success(listener))
  }
}

final class MemoryListener: Listener {
  let address: PeerAddress
  private let transport: MemoryTransport
  private let delegate: any ListenerDelegate

  init(_ address: PeerAddress, _ transport: MemoryTransport, _ delegate: any ListenerDelegate) {
    self.address = address
    self.transport = transport
    self.delegate = delegate
  }

  func accept(_ stream: MemoryStream) {
    delegate.listenerLetsIn(self)
    delegate.listener(self, accepted: stream)
  }

  /// A replay's nodes are few: there is always room.
  func setRoom(_ count: Int) {}
  var hasWaiting: Bool { false }

  func close(completion: @escaping () -> Void) {
    transport.listeners[address] = nil
    completion()
  }
}

/// One end of a connection in memory.
final class MemoryStream: ByteStream {
  let localAddress: PeerAddress
  let remoteAddress: PeerAddress
  var delegate: (any ByteStreamDelegate)?
  /// Both ends live as long as the replay.
  var other: MemoryStream?
  private let scheduler: any Scheduler
  private var arrived: [UInt8] = []
  private var isReading = false
  private var isDue = false
  private var hasEnded = false

  /// As much as one read of a socket gives.
  private static let readSize = 256 << 10

  init(local: PeerAddress, remote: PeerAddress, _ scheduler: any Scheduler) {
    localAddress = local
    remoteAddress = remote
    self.scheduler = scheduler
  }

  let unwritten = 0

  func setReading(_ isOn: Bool) {
    guard isReading != isOn else { return }
    isReading = isOn
    if isOn, !arrived.isEmpty || hasEnded { deliverLater() }
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    other?.arrived.append(contentsOf: bytes)
    other?.deliverLater()
    delegate?.streamWrote()
  }

  private func deliverLater() {
    guard !isDue else { return }
    isDue = true
    scheduler.defer { [self] in
      isDue = false
      deliver()
    }
  }

  private func deliver() {
    var bytes: [UInt8] = []
    swap(&bytes, &arrived)
    var start = 0
    while isReading, start < bytes.count {
      let end = min(start + Self.readSize, bytes.count)
      bytes.withUnsafeBytes { delegate?.streamReceived(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      start = end
    }
    if start < bytes.count { arrived.insert(contentsOf: bytes[start...], at: 0) }
    if hasEnded, isReading, arrived.isEmpty { delegate?.streamEnded() }
  }

  func close() {
    delegate = nil
    other?.hasEnded = true
    other?.deliverLater()
  }

  func abort() { close() }

  func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError) {
    throw NodeError(code: .configuration, message: "a stream in memory has no options")
  }
}
