/// What NodeCore refuses: a text that is no address, a value a key cannot have, a network that cannot be formed.
public struct NodeCoreError: Error, Sendable, CustomStringConvertible {
  public struct Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public static let address = Code(rawValue: "address")
    public static let configuration = Code(rawValue: "configuration")
    public static let duration = Code(rawValue: "duration")
    public static let size = Code(rawValue: "size")
    public static let topology = Code(rawValue: "topology")
  }

  public var code: Code
  public var message: String

  public init(code: Code, message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
