import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// scripts/echo.lua against Python's socket and struct: see clients/echo_client.py.
@Suite struct PythonEchoTests {
  struct Length: CustomTestStringConvertible, Sendable {
    var width: String
    var endian = "big"
    /// The longest message that the width can say.
    var capacity: UInt64
    var testDescription: String { "width \(width), \(endian)" }
    /// The longest that the script takes unless told otherwise.
    var defaultMax: UInt64 { min(capacity, 1 << 20) }
  }

  static let lengths = [
    Length(width: "1", capacity: 255), Length(width: "2", capacity: 65535), Length(width: "3", capacity: 1 << 24 - 1),
    Length(width: "4", capacity: UInt64(UInt32.max)), Length(width: "8", capacity: .max),
    Length(width: "varint", capacity: .max), Length(width: "2", endian: "little", capacity: 65535),
    Length(width: "3", endian: "little", capacity: 1 << 24 - 1),
    Length(width: "4", endian: "little", capacity: UInt64(UInt32.max)), Length(width: "8", endian: "little", capacity: .max),
  ]

  @Test(.timeLimit(.minutes(5)), arguments: lengths) func `Python's frames come back as they went`(length: Length) async throws {
    try await talk(length, arguments: [:], max: length.defaultMax)
  }

  @Test(.timeLimit(.minutes(5)), arguments: lengths) func `A frame over the script's own maximum ends the connection`(
    length: Length
  ) async throws {
    try await talk(length, arguments: ["max": 250], max: 250)
  }

  private func talk(_ length: Length, arguments: [String: LuaValue], max: UInt64) async throws {
    let python = try Tool.python()
    let arguments = arguments.merging(["width": LuaValue(length.width), "endian": LuaValue(length.endian)]) { $1 }
    try await withScript("scripts/echo.lua", arguments) { node, port in
      let client = Repository.path("Tests/ScriptTests/clients/echo_client.py")
      let said = try await python.expect(
        [client, port, length.width, length.endian, "\(max)", "\(length.capacity)"], seconds: 120)
      #expect(said.split(separator: "\n").count == 11, "\(said)")
      let refused = await node.node.heuristics().decodeErrors
      let expected: UInt64 = (max < length.capacity ? 3 : 0) + (length.width == "varint" ? 2 : 0)
      #expect(refused == expected)
    }
  }
}
