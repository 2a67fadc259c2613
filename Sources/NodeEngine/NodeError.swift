import NodeCore

/// What the engine refuses or what failed: one code for programs, one message for people.
public struct NodeError: Error, CustomStringConvertible {
  /// Extensible, so match with a `default`. The raw value is what scripts see as `error.kind`.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Nobody listens there.
    public static let refused = Code(rawValue: "refused")
    public static let timeout = Code(rawValue: "timeout")
    /// The name has no address.
    public static let resolve = Code(rawValue: "resolve")
    /// `max_connections`, `max_connections_per_ip`, `max_connections_per_subnet` or `max_connecting`.
    public static let limit = Code(rawValue: "limit")
    /// There is or will be a connection under that address.
    public static let duplicate = Code(rawValue: "duplicate")
    /// The node's own address.
    public static let own = Code(rawValue: "self")
    public static let handshake = Code(rawValue: "handshake")
    public static let shutdown = Code(rawValue: "shutdown")
    public static let closed = Code(rawValue: "closed")
    public static let cancelled = Code(rawValue: "cancelled")
    public static let address = Code(rawValue: "address")
    public static let addressInUse = Code(rawValue: "address_in_use")
    public static let configuration = Code(rawValue: "configuration")
    /// The message is over the codec's `max`.
    public static let tooLarge = Code(rawValue: "too_large")
    public static let decode = Code(rawValue: "decode")
    /// The connection has a reader already.
    public static let busy = Code(rawValue: "busy")
    public static let script = Code(rawValue: "script")
    public static let budget = Code(rawValue: "budget")
    /// The system refused; the message has its words.
    public static let system = Code(rawValue: "system")
  }

  public var code: Code
  public var message: String
  public var cause: (any Error)?

  public init(code: Code, message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public var description: String { message }

  static func closed(_ address: PeerAddress) -> NodeError {
    NodeError(code: .closed, message: "the connection to \(address) is closed")
  }
}
