import FoundationEssentials
import LuaHost

/// A JSON document, as both ends of the console's line have it.
public enum JSONValue: Sendable, Hashable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// An object's field; nil (the Swift value) for anything else.
  public subscript(name: String) -> JSONValue? {
    if case .object(let fields) = self { fields[name] } else { nil }
  }
  public var text: String? { if case .string(let text) = self { text } else { nil } }
  public var int: Int64? { if case .integer(let number) = self { number } else { nil } }
  public var bool: Bool? { if case .boolean(let flag) = self { flag } else { nil } }
  public var list: [JSONValue] { if case .array(let values) = self { values } else { [] } }
  public var double: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }
}

extension JSONValue: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let flag = try? container.decode(Bool.self) {
      self = .boolean(flag)
    } else if let number = try? container.decode(Int64.self) {
      self = .integer(number)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let text = try? container.decode(String.self) {
      self = .string(text)
    } else if let values = try? container.decode([JSONValue].self) {
      self = .array(values)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .boolean(let flag): try container.encode(flag)
    case .integer(let number): try container.encode(number)
    case .number(let number): try number.isFinite ? container.encode(number) : container.encode("\(number)")
    case .string(let text): try container.encode(text)
    case .array(let values): try container.encode(values)
    case .object(let fields): try container.encode(fields)
    }
  }

  /// One line of text, without its end; the fields of objects sorted.
  public var line: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Numbers that JSON does not have are texts by now: nothing else can fail.
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
  }

  /// nil: no JSON.
  public init?(line: some Collection<UInt8>) {
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(line)) else { return nil }
    self = value
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
  public init(stringLiteral text: String) { self = .string(text) }
  public init(integerLiteral number: Int64) { self = .integer(number) }
  public init(booleanLiteral flag: Bool) { self = .boolean(flag) }
  public init(arrayLiteral values: JSONValue...) { self = .array(values) }
  /// Without the fields that are null.
  public init(dictionaryLiteral fields: (String, JSONValue)...) {
    self = .object(Dictionary(fields.filter { $0.1 != .null }, uniquingKeysWith: { $1 }))
  }
}

extension JSONValue {
  init(_ text: String?) { self = text.map { .string($0) } ?? .null }
  init(_ number: some BinaryInteger) { self = .integer(Int64(clamping: number)) }
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self = .number((Double(seconds) + Double(attoseconds) / 1e18).rounded(toPlaces: 3))
  }

  /// What came out of Lua as plain data. A table with elements only is an array, an empty one an object.
  init(_ value: LuaValue) {
    switch value {
    case .nil: self = .null
    case .boolean(let flag): self = .boolean(flag)
    case .integer(let number): self = .integer(number)
    case .number(let number): self = .number(number)
    case .string(let text): self = .string(text.lossyText)
    case .table(let table):
      if table.fields.isEmpty, !table.array.isEmpty {
        self = .array(table.array.map { JSONValue($0) })
      } else {
        var fields: [String: JSONValue] = [:]
        for (index, element) in table.array.enumerated() { fields["\(index + 1)"] = JSONValue(element) }
        for field in table.fields { fields[field.key.description] = JSONValue(field.value) }
        self = .object(fields)
      }
    }
  }
}

extension Double {
  fileprivate func rounded(toPlaces places: Int) -> Double {
    let factor = (0..<places).reduce(1.0) { factor, _ in factor * 10 }
    return (self * factor).rounded() / factor
  }
}
