/// Plain Lua data as a Swift value: what may cross between a script and the outside, and between two scripts.
public enum LuaValue: Sendable, Hashable {
  case `nil`
  case boolean(Bool)
  case integer(Int64)
  case number(Double)
  case string(LuaString)
  indirect case table(LuaTable)
}

/// One key and its value.
public struct LuaField: Sendable, Hashable {
  public var key: LuaValue
  public var value: LuaValue

  public init(key: LuaValue, value: LuaValue) {
    self.key = key
    self.value = value
  }
}

/// A table: the elements 1…n and the other fields.
///
/// What comes from Lua has its fields sorted by key, so that nothing depends on Lua's hash order.
public struct LuaTable: Sendable, Hashable {
  public var array: [LuaValue]
  public var fields: [LuaField]

  public init(array: [LuaValue] = [], fields: [LuaField] = []) {
    self.array = array
    self.fields = fields
  }

  /// The field of that name; nil (the Lua value) where there is none. Setting nil removes it.
  public subscript(name: String) -> LuaValue {
    get { fields.first { $0.key.text == name }?.value ?? .nil }
    set {
      let index = fields.firstIndex { $0.key.text == name }
      switch (index, newValue) {
      case (let index?, .nil): fields.remove(at: index)
      case (let index?, _): fields[index].value = newValue
      case (nil, .nil): break
      case (nil, _): fields.append(LuaField(key: .string(LuaString(name)), value: newValue))
      }
    }
  }
}

extension LuaValue {
  /// A string's text; nil for anything else, and for bytes that are not UTF-8.
  public var text: String? { if case .string(let value) = self { value.text } else { nil } }
  public var bytes: [UInt8]? { if case .string(let value) = self { value.bytes } else { nil } }
  public var bool: Bool? { if case .boolean(let value) = self { value } else { nil } }
  public var table: LuaTable? { if case .table(let value) = self { value } else { nil } }

  /// An integer, or a number with an integer value.
  public var int: Int64? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int64(exactly: value)
    default: nil
    }
  }

  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  public var isNil: Bool { self == .nil }
}

extension LuaValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(nilLiteral: ()) { self = .nil }
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(stringLiteral value: String) { self = .string(LuaString(value)) }
  public init(arrayLiteral elements: LuaValue...) { self = .table(LuaTable(array: elements)) }

  public init(dictionaryLiteral elements: (LuaValue, LuaValue)...) {
    let fields = elements.filter { !$0.1.isNil }.map { LuaField(key: $0.0, value: $0.1) }
    self = .table(LuaTable(fields: fields))
  }

  /// The string value of a Swift text.
  public init(_ text: String) { self = .string(LuaString(text)) }
}

extension LuaValue: CustomStringConvertible {
  /// As a person would write it; strings at the top without quotes.
  public var description: String {
    if case .string(let value) = self { return value.lossyText }
    return literal
  }

  /// As Lua source.
  public var literal: String {
    switch self {
    case .nil: return "nil"
    case .boolean(let value): return "\(value)"
    case .integer(let value): return "\(value)"
    case .number(let value): return "\(value)"
    case .string(let value): return "\"\(value.lossyText)\""
    case .table(let table):
      let elements = table.array.map(\.literal)
      let fields = table.fields.map { field in "\(field.key.text ?? "[\(field.key.literal)]") = \(field.value.literal)" }
      let parts = elements + fields
      return parts.isEmpty ? "{}" : "{ \(parts.joined(separator: ", ")) }"
    }
  }
}

extension LuaValue {
  /// Keys in the order booleans, numbers, strings; what makes a table from Lua the same every time.
  static func precedes(_ left: LuaValue, _ right: LuaValue) -> Bool {
    switch (left, right) {
    case (.string(let a), .string(let b)): return a.bytes.lexicographicallyPrecedes(b.bytes)
    case (.string, _): return false
    case (_, .string): return true
    default:
      if let a = left.double, let b = right.double { return a < b }
      if left.double == nil, right.double == nil { return left.bool == false && right.bool == true }
      return left.double == nil
    }
  }
}
