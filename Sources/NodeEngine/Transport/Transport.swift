public import NodeCore

/// How a dial is made.
public struct DialOptions: Sendable, Equatable {
  /// For the TCP connect; nil: the configuration's `connectionTimeout`.
  public var timeout: Duration?
  /// The local end; nil: the system chooses.
  public var localAddress: PeerAddress?
  /// Allows the local port to be shared with a listener.
  public var reusePort = false

  public init(timeout: Duration? = nil, localAddress: PeerAddress? = nil, reusePort: Bool = false) {
    self.timeout = timeout
    self.localAddress = localAddress
    self.reusePort = reusePort
  }
}

public struct ListenOptions: Sendable {
  public var backlog: Int
  public var reusePort: Bool
}

/// The seam to the network: streams of bytes between addresses. Sockets in the real world.
///
/// Everything happens on the scheduler's loop, completions included.
public protocol Transport: AnyObject, Sendable {
  /// The addresses a name stands for, best first.
  func resolve(
    _ address: PeerAddress, on scheduler: any Scheduler,
    completion: @escaping (Result<[PeerAddress], NodeError>) -> Void)
  func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void)
  func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void)
}

public protocol Listener: AnyObject {
  /// As bound, never as wished.
  var address: PeerAddress { get }
  /// How many streams may be accepted now; 0 leaves the surplus in the kernel's queue.
  func setRoom(_ count: Int)
  func close(completion: @escaping () -> Void)
}

public protocol ListenerDelegate: AnyObject {
  func listener(_ listener: any Listener, accepted stream: any ByteStream)
  func listener(_ listener: any Listener, failed error: NodeError)
}

/// One connection's bytes.
public protocol ByteStream: AnyObject {
  var localAddress: PeerAddress { get }
  var remoteAddress: PeerAddress { get }
  var delegate: (any ByteStreamDelegate)? { get set }
  /// Off at first.
  func setReading(_ isOn: Bool)
  /// Copies the bytes and hands them on; `streamWrote` follows, perhaps before this returns. One write at a time.
  func write(_ bytes: UnsafeRawBufferPointer)
  /// How much of the write under way the kernel has not taken.
  var unwritten: Int { get }
  /// Ends it in order: what was written arrives.
  func close()
  /// Ends it at once; the peer sees a reset.
  func abort()
  func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError)
}

public protocol ByteStreamDelegate: AnyObject {
  /// The bytes are valid during the call only.
  func streamReceived(_ bytes: UnsafeRawBufferPointer)
  func streamEnded()
  func streamWrote()
  /// The stream is dead; no other call follows.
  func streamFailed(_ reason: DisconnectReason)
}
