import LuaHost
import NodeCore
import NodeEngine

extension Framing {
  /// The fields of a codec table that say how the engine is to cut.
  static let codecFields = [
    "kind", "max", "width", "endian", "delimiter", "length_includes_header", "size", "decode", "encode",
  ]

  /// The engine's part of a codec table made by `moonpeer.codec`.
  init(codec fields: LuaTable) throws(LuaError) {
    let max = Int(clamping: fields["max"].int ?? 1 << 20)
    switch fields["kind"].text {
    case "bytes": self.init(.bytes, max: max)
    case "lines": self.init(.lines(delimiter: fields["delimiter"].bytes ?? [UInt8(ascii: "\n")]), max: max)
    case "length_prefixed":
      let width: LengthWidth
      switch fields["width"] {
      case .integer(1): width = .one
      case .integer(2): width = .two
      case .integer(3): width = .three
      case .integer(8): width = .eight
      case .string("varint"): width = .varint
      default: width = .four
      }
      let endian: Endianness = fields["endian"].text == "little" ? .little : .big
      self.init(
        .lengthPrefixed(width, endian, lengthIncludesHeader: fields["length_includes_header"].bool ?? false), max: max)
    case "fixed": self.init(.fixed(Int(clamping: fields["size"].int ?? 1)), max: max)
    case "framed", "custom": self.init(.external, max: max)
    default:
      throw LuaError(
        kind: .type, message: "codec: make one with require \"moonpeer.codec\", for instance codec.lines()", traceback: nil,
        value: nil)
    }
  }
}
