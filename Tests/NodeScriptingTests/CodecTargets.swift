import FuzzSupport
import LuaHost
import NodeCore

/// The codecs of ``CodecCases``: streams that are broken in all ways, and values that may be no message.
enum CodecTargets {
  /// How a stream ended: its last bytes wait for more, or are no message.
  private enum Ending: Equatable {
    case waiting(Int), wrong
  }

  /// Those whose messages are encoded as they were written; `tonumber` reads more than `tostring` writes.
  static let names = CodecCases.names.filter { $0 != "numbers in lines" }
  /// Those with an encoder in Lua that is ours.
  static let encoders = names.filter { name in
    ["packed", "struct", "union", "JSON"].contains { name.hasPrefix($0) }
  }

  /// One of them has to be in an error about bytes.
  private static let rules = [
    "over the codec's max", "over the max of", "is not one of 0 to", "no kind of message has the tag", "a bool is 0 or 1",
    "does not fit its", "after a record", "bytes after", "cut short", "a record of over", "no end of a text", "json: line",
    "bytes where",
  ]

  /// - Parameter prepare: gets the VM before anything runs in it.
  static func decoding(_ name: String, _ prepare: (LuaVM) -> Void = { _ in }) throws -> FuzzTarget {
    let harness = try PreludeHarness(CodecCases.lua, prepare)
    try harness.call("seed") { $0.integer(7) }
    let seeds = try (0..<6).map { index in
      [UInt8(index)] + (try harness.call("begin") { $0.string(name) }[0].bytes!)
    }
    return FuzzTarget("codec \(name)", count: 150, seeds: seeds) { input in
      guard let first = input.first else { return nil }
      let bytes = Array(input.dropFirst())
      try harness.call("choose") { $0.string(name) }
      let whole = try take([bytes[...]], harness)
      try harness.call("keep")
      var generator = SeededGenerator(seed: UInt64(first))
      let pieces = try take(split(bytes, &generator), harness)
      if whole != pieces { return "\(whole) in one piece, \(pieces) in several" }
      if let difference = try harness.call("difference").first?.text { return "in several pieces: \(difference)" }
      let wire = try harness.call("rewire")[0].bytes!
      try harness.call("keep")
      let again = try take([wire[...]], harness)
      if again != .waiting(0) { return "what it encodes itself is \(again)" }
      return try harness.call("difference").first?.text.map { "decoded from what it encoded: \($0)" }
    }
  }

  /// A value is refused, or its bytes are messages that are encoded to the same bytes.
  static func encoding(_ name: String, _ prepare: (LuaVM) -> Void = { _ in }) throws -> FuzzTarget {
    let harness = try PreludeHarness(MadeValues.script + CodecCases.lua, prepare)
    return FuzzTarget("encoder \(name)", count: 400, seeds: MadeValues.seeds) { input in
      let answer = try harness.call("encode") { pack in
        pack.string(name)
        input.withUnsafeBytes { pack.bytes($0) }
      }
      guard let bytes = answer.first?.bytes else { return answer.count > 1 ? answer[1].text : nil }
      let ending = try take([bytes[...]], harness)
      if ending != .waiting(0) { return "what it encodes itself is \(ending)" }
      return try harness.call("rewire")[0].bytes == bytes ? nil : "decoded, and encoded to other bytes"
    }
  }

  private static func split(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...9, using: &generator))
      pieces.append(piece)
      rest = rest.dropFirst(piece.count)
    }
    return pieces
  }

  private static func take(_ pieces: [ArraySlice<UInt8>], _ harness: PreludeHarness) throws -> Ending {
    var pending: [UInt8] = []
    for piece in pieces {
      pending += piece
      do {
        while case let taken = try CodecCases.step(harness, pending), taken > 0 {
          // What reads or takes more than there is, is no mistake of the bytes.
          guard taken <= pending.count else { throw NotSo(description: "took \(taken) of \(pending.count)") }
          pending.removeFirst(taken)
        }
      } catch let error as LuaError {
        let isNamed = rules.contains { error.message.contains($0) }
        guard isNamed else { throw NotSo(description: "an error that names no rule: \(error.message)") }
        return .wrong
      }
    }
    return .waiting(pending.count)
  }
}
