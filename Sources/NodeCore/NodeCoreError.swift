/// What NodeCore refuses: a text that is no address, a value a key cannot have, a network that cannot be formed.
public struct NodeCoreError: Error, Sendable, CustomStringConvertible {
  /// Extensible, so match with a `default`.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// A text is no address.
    public static let address = Code(rawValue: "address")
    /// An unknown key, or a value it cannot have.
    public static let configuration = Code(rawValue: "configuration")
    /// A text is no duration, or the duration is negative or endless.
    public static let duration = Code(rawValue: "duration")
    /// A text is no size.
    public static let size = Code(rawValue: "size")
    /// That many nodes cannot form the network.
    public static let topology = Code(rawValue: "topology")
  }

  /// For programs.
  public var code: Code
  /// For people: what was got and what is expected.
  public var message: String

  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
