import NodeCore

/// What the engine refuses or what failed: one code for programs, one message for people.
public struct NodeError: Error, CustomStringConvertible {
  /// Extensible, so match with a `default`. The raw value is what scripts see as `error.kind`.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Nobody listens there.
    public static let refused = Code(rawValue: "refused")
    /// It took longer than it may.
    public static let timeout = Code(rawValue: "timeout")
    /// The name has no address.
    public static let resolve = Code(rawValue: "resolve")
    /// `max_connections`, `max_connections_per_ip`, `max_connections_per_subnet`, `max_connecting` or `max_listeners`.
    public static let limit = Code(rawValue: "limit")
    /// There is or will be a connection under that address.
    public static let duplicate = Code(rawValue: "duplicate")
    /// The node's own address.
    public static let own = Code(rawValue: "self")
    /// The handshake hook failed.
    public static let handshake = Code(rawValue: "handshake")
    /// The node is shutting down or has stopped.
    public static let shutdown = Code(rawValue: "shutdown")
    /// The connection is closed, or closed while it was waited for.
    public static let closed = Code(rawValue: "closed")
    /// The dial was cancelled.
    public static let cancelled = Code(rawValue: "cancelled")
    /// The address cannot be used here.
    public static let address = Code(rawValue: "address")
    /// Another socket listens there.
    public static let addressInUse = Code(rawValue: "address_in_use")
    /// Whoever runs the code has not given it leave to.
    public static let notAllowed = Code(rawValue: "not_allowed")
    /// A configuration value or socket option makes no sense.
    public static let configuration = Code(rawValue: "configuration")
    /// The message is over the codec's `max`.
    public static let tooLarge = Code(rawValue: "too_large")
    /// The peer's bytes are no message.
    public static let decode = Code(rawValue: "decode")
    /// The connection has a reader already.
    public static let busy = Code(rawValue: "busy")
    /// A hook failed.
    public static let script = Code(rawValue: "script")
    /// A script ran over its time or memory.
    public static let budget = Code(rawValue: "budget")
    /// The code that asked was replaced by a reload.
    public static let replaced = Code(rawValue: "replaced")
    /// The system refused; the message has its words.
    public static let system = Code(rawValue: "system")
  }

  /// For programs.
  public var code: Code
  /// For people: what, where, what to do.
  public var message: String
  /// The error underneath, where there is one.
  public var cause: (any Error)?

  public init(code: Code, message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public var description: String { message }

  static func refusedByItself(_ address: PeerAddress) -> NodeError {
    NodeError(
      code: .refused, message: "cannot connect to \(address): nobody listens there; the system connected the socket to itself")
  }

  static func closed(_ address: PeerAddress) -> NodeError {
    NodeError(code: .closed, message: "the connection to \(address) is closed")
  }
}
