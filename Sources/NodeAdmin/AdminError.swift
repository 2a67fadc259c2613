import Glibc

/// What went wrong in looking at nodes from outside.
public struct AdminError: Error, Sendable, CustomStringConvertible {
  /// Extensible, so match with a `default`.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// A text is no address to serve on.
    public static let address = Code(rawValue: "address")
    /// Somebody else listens there.
    public static let addressInUse = Code(rawValue: "address_in_use")
    /// A file is there already.
    public static let exists = Code(rawValue: "exists")
    /// A path that is too long for a socket, or names what is none of ours.
    public static let path = Code(rawValue: "path")
    /// A folder or socket that others could get at.
    public static let permissions = Code(rawValue: "permissions")
    /// The system refused; the message has its words.
    public static let system = Code(rawValue: "system")
  }

  /// For programs.
  public var code: Code
  /// For people: what happened and what to do.
  public var message: String
  /// What it came from, where it came from something.
  public var cause: (any Error)?

  public init(code: Code, message: String, cause: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public var description: String { message }

  /// - Parameter number: the system's `errno`.
  static func system(_ what: String, _ number: Int32) -> AdminError {
    AdminError(code: .system, message: "\(what): \(String(cString: strerror(number)))")
  }
}
