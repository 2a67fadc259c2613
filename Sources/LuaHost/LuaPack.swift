internal import CLua

/// A registry slot: a Lua value the host holds on to. Trivial, so the message path moves it without reference counting;
/// whoever made one releases it with ``LuaVM/release(_:)``.
public struct LuaRef: Sendable, Hashable {
  package let slot: Int32
  package init(_ slot: Int32) { self.slot = slot }
  package static let none = LuaRef(0)
  package var isNone: Bool { slot <= 0 }
}

/// Values on their way into Lua. Writing them touches no VM, so it cannot raise.
public struct LuaPack {
  let pack: UnsafeMutablePointer<clua_pack>

  init(_ pack: UnsafeMutablePointer<clua_pack>) {
    self.pack = pack
  }

  public mutating func `nil`() { clua_pack_op(pack, CLUA_OP_NIL) }
  public mutating func boolean(_ value: Bool) { clua_pack_op(pack, value ? CLUA_OP_TRUE : CLUA_OP_FALSE) }
  public mutating func integer(_ value: Int64) { clua_pack_integer(pack, value) }
  public mutating func number(_ value: Double) { clua_pack_number(pack, value) }
  public mutating func bytes(_ value: UnsafeRawBufferPointer) { clua_pack_bytes(pack, value.baseAddress, value.count) }
  public mutating func ref(_ value: LuaRef) { clua_pack_ref(pack, value.slot) }
  /// As ``ref(_:)``, and the reference is released once the value has arrived.
  package mutating func taken(_ value: LuaRef) { clua_pack_taken_ref(pack, value.slot) }

  public mutating func string(_ value: String) {
    var value = value
    value.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
  }

  /// A table follows: ``element()`` or ``field()`` before each member, ``endTable()`` after the last.
  public mutating func beginTable() { clua_pack_op(pack, CLUA_OP_TABLE) }
  /// The next value is the next of 1…n.
  public mutating func element() { clua_pack_op(pack, CLUA_OP_ELEMENT) }
  /// The next two values are a key and its value; neither may be nil.
  public mutating func field() { clua_pack_op(pack, CLUA_OP_FIELD) }
  public mutating func endTable() { clua_pack_op(pack, CLUA_OP_END) }

  public mutating func value(_ value: LuaValue) {
    switch value {
    case .nil: self.nil()
    case .boolean(let value): boolean(value)
    case .integer(let value): integer(value)
    case .number(let value): number(value)
    case .string(let value): value.bytes.withUnsafeBytes { bytes($0) }
    case .table(let table):
      beginTable()
      members(of: table)
    }
  }

  /// An error table with `kind`, `message` and `__tostring`, from the error's own value where it has one.
  public mutating func error(_ error: LuaError) {
    clua_pack_op(pack, CLUA_OP_ERROR)
    var table = error.value?.table ?? LuaTable()
    if table["kind"].isNil { table["kind"] = "error" }
    if table["message"].isNil { table["message"] = LuaValue(error.message) }
    members(of: table)
  }

  private mutating func members(of table: LuaTable) {
    for value in table.array {
      element()
      self.value(value)
    }
    for entry in table.fields where !entry.value.isNil && !entry.key.isNil {
      field()
      value(entry.key)
      value(entry.value)
    }
    endTable()
  }
}

/// Reads what C packed.
struct LuaPackReader {
  private var at: UnsafeRawPointer
  private let end: UnsafeRawPointer

  static func values(_ pack: clua_pack) -> [LuaValue] {
    guard let start = pack.bytes, pack.count > 0 else { return [] }
    var reader = LuaPackReader(at: UnsafeRawPointer(start), end: UnsafeRawPointer(start) + pack.count)
    var values: [LuaValue] = []
    while reader.at < reader.end { values.append(reader.next()) }
    return values
  }

  private mutating func take<T: BitwiseCopyable>(_ type: T.Type) -> T {
    let value = at.loadUnaligned(as: type)
    at += MemoryLayout<T>.size
    return value
  }

  private mutating func next() -> LuaValue {
    switch UInt32(take(UInt8.self)) {
    case CLUA_OP_FALSE.rawValue: return .boolean(false)
    case CLUA_OP_TRUE.rawValue: return .boolean(true)
    case CLUA_OP_INTEGER.rawValue: return .integer(take(Int64.self))
    case CLUA_OP_NUMBER.rawValue: return .number(take(Double.self))
    case CLUA_OP_BYTES.rawValue:
      let count = take(Int.self)
      let bytes = Array(UnsafeRawBufferPointer(start: at, count: count))
      at += count
      return .string(LuaString(bytes: bytes))
    case CLUA_OP_TABLE.rawValue: return table()
    default: return .nil
    }
  }

  private mutating func table() -> LuaValue {
    var table = LuaTable()
    while true {
      switch UInt32(take(UInt8.self)) {
      case CLUA_OP_ELEMENT.rawValue: table.array.append(next())
      case CLUA_OP_FIELD.rawValue:
        let key = next()
        table.fields.append(LuaField(key: key, value: next()))
      default:
        table.fields.sort { LuaValue.precedes($0.key, $1.key) }
        return .table(table)
      }
    }
  }
}
