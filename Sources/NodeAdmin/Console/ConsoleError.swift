import Glibc

/// Why a console cannot be opened or reached.
public struct ConsoleError: Error, Sendable, CustomStringConvertible {
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// A path that is too long, or names what is no socket of ours.
    public static let path = Code(rawValue: "path")
    /// Another process listens there.
    public static let inUse = Code(rawValue: "in_use")
    /// A folder or socket that others could get at.
    public static let permissions = Code(rawValue: "permissions")
    /// What the system refused.
    public static let system = Code(rawValue: "system")
  }

  public var code: Code
  /// What happened, where, and what to do.
  public var message: String
  public var description: String { message }

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  static func system(_ what: String, _ number: Int32) -> ConsoleError {
    ConsoleError(.system, "\(what): \(String(cString: strerror(number)))")
  }
}
