import FuzzSupport
import Glibc
import LuaHost
import PlainLua

/// string.find, match, gmatch and gsub, which are ours, against Lua's own.
enum PatternTarget {
  private static let seeds = [
    "f.-b", "m(a*(.)%w(%s*))", "g%b()", "s%f[%w]%w+", "f[^]]$", "m^([a-z_]+)%1", "g()%d?", "s[%]a-]*", "f%", "m[", "s(()", "f%f",
    "g%b", "m[^%s]-x", "s%0", "f\u{0}", "m%z", "s^a*",
  ].map { text in
    let bytes = Array(text.utf8)
    return [bytes[0], UInt8(bytes.count - 1)] + bytes.dropFirst() + Array("(ab) a_b1 [x]%1\u{0}ba".utf8)
  }

  static func target() throws -> FuzzTarget {
    let machine = try Machine(memory: 256 << 20, time: .seconds(120))
    return FuzzTarget("pattern", count: 4000, seeds: seeds) { input in
      guard input.count > 2 else { return nil }
      let pattern = input[2...].prefix(min(Int(input[1]), 24))
      // What Lua's own tries without a bound would take for ever with more.
      guard pattern.filter({ "*+-?".utf8.contains($0) }).count <= 4 else { return nil }
      let subject = input[(2 + pattern.count)...].prefix(24)
      let code = program(kind: input[0], pattern, subject)
      let text = plain_lua(code)!
      defer { free(text) }
      let theirs = String(cString: text)
      let ours = try machine.run(code).first?.text ?? ""
      return ours == theirs ? nil : "ours: \(ours), Lua's: \(theirs)"
    }
  }

  private static func program(kind: UInt8, _ pattern: ArraySlice<UInt8>, _ subject: ArraySlice<UInt8>) -> String {
    func literal(_ bytes: ArraySlice<UInt8>) -> String {
      "\"" + bytes.map { "\\\(String(UInt32($0) + 1000).dropFirst())" }.joined() + "\""
    }
    let call =
      switch kind % 6 {
      case 0: "string.find(s, p, \(Int(kind) / 6 - 20))"
      case 1: "string.match(s, p, \(Int(kind) / 6 - 20))"
      case 2: "each()"
      case 3: "string.gsub(s, p, p, \(Int(kind) / 6))"
      case 4: "string.gsub(s, p, { a = 'X', b = false })"
      default: "string.gsub(s, p, function(a, b) return b or a end)"
      }
    return """
      local s, p = \(literal(subject)), \(literal(pattern))
      local function each()
        local found = {}
        for a, b in string.gmatch(s, p) do found[#found + 1] = tostring(a) .. "," .. tostring(b) end
        return table.concat(found, ";")
      end
      local values = table.pack(pcall(function() return \(call) end))
      for i = 1, values.n do
        values[i] = tostring(values[i]):gsub("[^\\32-\\126]", function(c) return ("<%d>"):format(c:byte()) end)
      end
      return table.concat(values, " ")
      """
  }
}
