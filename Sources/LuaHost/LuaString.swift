/// A Lua string: any bytes, usually UTF-8 text.
public struct LuaString: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public var bytes: [UInt8]

  public init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  public init(_ text: String) {
    bytes = Array(text.utf8)
  }

  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// The text, or nil where the bytes are not UTF-8.
  public var text: String? { String(validating: bytes, as: UTF8.self) }

  /// The text, with U+FFFD where the bytes are not UTF-8.
  public var lossyText: String { String(decoding: bytes, as: UTF8.self) }

  public var description: String { lossyText }
}
