public import NodeCore

/// How a dial is made.
public struct DialOptions: Sendable, Equatable {
  /// For the TCP connect, and before it for the look-up of a name; nil: the configuration's `connectionTimeout`.
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

/// How a listener is opened.
public struct ListenOptions: Sendable {
  /// Connections the kernel may hold.
  public var backlog: Int
  /// Lets several live listeners share the port.
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
  /// The same, but streams are read and written by so many loops beside the scheduler's; at least 1.
  ///
  /// - Throws: code `configuration` where there is no such thing, `system` where the loops cannot be had.
  func carried(byIOLoops count: Int) throws(NodeError) -> any Transport
  /// Opens a stream; completes with code `refused`, `timeout`, `address` or `system` where it cannot.
  ///
  /// - Returns: what calls it off; nil where there is nothing to be called off.
  func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) -> (any PendingDial)?
  /// Opens a listener; completes with code `address_in_use`, `address` or `system` where it cannot.
  func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void)
}

extension Transport {
  /// Itself: where there are no sockets, there is no I/O to be spread.
  public func carried(byIOLoops count: Int) throws(NodeError) -> any Transport { self }
}

/// A stream that is being opened.
public protocol PendingDial: AnyObject {
  /// Lets go of its socket at once. Whether the completion is called then is left open, and once it was this does nothing.
  func cancel()
}

/// An open listener.
public protocol Listener: AnyObject {
  /// As bound, never as wished.
  var address: PeerAddress { get }
  /// How many streams may be accepted now; 0 leaves the surplus in the kernel's queue.
  func setRoom(_ count: Int)
  /// Whether somebody waits to be accepted.
  var hasWaiting: Bool { get }
  /// No more streams; completes when the port is free.
  func close(completion: @escaping () -> Void)
}

/// Who gets what a listener accepts.
public protocol ListenerDelegate: AnyObject {
  /// One is on its way in and takes a place; either of the next two follows, perhaps in a later tick.
  func listenerLetsIn(_ listener: any Listener)
  /// It broke before it was up.
  func listenerLost(_ listener: any Listener)
  /// A stream, not reading yet.
  func listener(_ listener: any Listener, accepted stream: any ByteStream)
  /// The system refused an accept; the listener goes on.
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
  /// Asked once a read is handled: true where there will be a turn for writing, with ``ByteStreamDelegate/streamMayWrite()``
  /// soon; false where what is to be written had better leave at once.
  func writesInTurn() -> Bool
  /// Nobody else will be put in line for now: the turns need not be waited for.
  func giveTurns()
  /// What handling its bytes will touch, for who can make use of it.
  func note(_ footprint: Footprint)
  /// How much of the write under way the kernel has not taken.
  var unwritten: Int { get }
  /// Ends it in order: what was written arrives.
  func close()
  /// Ends it at once; the peer sees a reset.
  func abort()
  /// A socket option by its name; throws code `configuration` for one there is none of, `system` where it is refused.
  func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError)
}

extension ByteStream {
  public func writesInTurn() -> Bool { false }
  public func giveTurns() {}
  public func note(_ footprint: Footprint) {}
}

/// Who gets a stream's bytes.
public protocol ByteStreamDelegate: AnyObject {
  /// The bytes are valid during the call only.
  func streamReceived(_ bytes: UnsafeRawBufferPointer)
  /// The peer will send no more.
  func streamEnded()
  /// The turn has come that ``ByteStream/writesInTurn()`` promised.
  func streamMayWrite()
  /// The kernel has not taken all of the last write at once: the rest leaves as there is room for it.
  func streamWaits()
  /// The kernel has taken all of the last write.
  func streamWrote()
  /// The stream is dead; no other call follows.
  func streamFailed(_ reason: DisconnectReason)
}
