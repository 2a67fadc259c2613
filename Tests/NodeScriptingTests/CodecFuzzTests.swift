import FuzzSupport
import LuaHost
import NodeCore
import Testing

/// The codecs of ``CodecPropertyTests`` against streams that are broken in all ways.
@Suite struct CodecFuzzTests {
  /// How a stream ended: its last bytes wait for more, or are no message.
  private enum Ending: Equatable {
    case waiting(Int), wrong
  }

  @Test(arguments: [
    "length_prefixed", "length_prefixed, little, with its header", "length_prefixed, 8 bytes", "fixed", "lines",
    "packed, one fixed value", "packed, several fixed values", "packed, a string", "packed, mixed", "packed, two orders",
    "struct, fixed", "struct, variable", "union, fixed", "union, variable", "union in a union", "union in frames",
    "JSON in frames", "framed", "custom", "map over custom",
  ])
  func `Whatever arrives, every split gives the same, and what was decoded encodes to itself`(name: String) throws {
    let harness = try PreludeHarness(CodecPropertyTests.cases)
    try harness.call("seed") { $0.integer(7) }
    let seeds = try (0..<6).map { index in
      [UInt8(index)] + (try harness.call("begin") { $0.string(name) }[0].bytes!)
    }
    var fuzz = Fuzz("codec \(name)", count: 150, seeds: seeds)
    let problem = try fuzz.firstProblem { input in
      guard let first = input.first else { return nil }
      let bytes = Array(input.dropFirst())
      try harness.call("choose") { $0.string(name) }
      let whole = try Self.take([bytes[...]], harness)
      try harness.call("keep")
      var generator = SeededGenerator(seed: UInt64(first))
      let split = try Self.take(Self.split(bytes, &generator), harness)
      if whole != split { return "\(whole) in one piece, \(split) in several" }
      if let difference = try harness.call("difference").first?.text { return "in several pieces: \(difference)" }
      let wire = try harness.call("rewire")[0].bytes!
      try harness.call("keep")
      let again = try Self.take([wire[...]], harness)
      if again != .waiting(0) { return "what it encodes itself is \(again)" }
      return try harness.call("difference").first?.text.map { "decoded from what it encoded: \($0)" }
    }
    #expect(problem == nil)
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
        while case let taken = try CodecPropertyTests.step(harness, pending), taken > 0 {
          // What reads or takes more than there is, is no mistake of the bytes.
          guard taken <= pending.count else { throw NotSo(description: "took \(taken) of \(pending.count)") }
          pending.removeFirst(taken)
        }
      } catch is LuaError {
        return .wrong
      }
    }
    return .waiting(pending.count)
  }
}
