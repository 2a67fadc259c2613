import LuaHost
import NodeCore
import NodeEngine

extension Framing {
  /// The engine's part of a codec, as `glue.lua` hands it over: kind, max, width, endian, includes header, delimiter, size.
  init(codecArguments call: LuaCall, from first: Int32) {
    let max = Int(clamping: call.integer(first + 1) ?? 1 << 20)
    switch call.string(first) {
    case "lines": self = .lines(delimiter: call.bytes(first + 5).map { Array($0) } ?? [10], max: max)
    case "length_prefixed":
      let width = call.integer(first + 2).flatMap { Width(rawValue: Int($0)) } ?? .varint
      self = .lengthPrefixed(
        width, call.string(first + 3) == "little" ? .little : .big, includesHeader: call.boolean(first + 4) ?? false,
        max: max)
    case "fixed": self = .fixed(Int(clamping: call.integer(first + 6) ?? 1))
    case "framed", "custom": self.init(.external, max: max)
    default: self.init(.bytes, max: max)
    }
  }
}
