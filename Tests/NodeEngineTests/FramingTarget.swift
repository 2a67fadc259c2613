import FuzzSupport
import NodeCore

@testable import NodeEngine

/// Both cutters against a slow one that is easy to believe, on streams that are broken in all ways, however they are split.
enum FramingTarget {
  /// What a stream came to.
  private struct Outcome: CustomStringConvertible {
    var messages: [[UInt8]] = []
    /// The rule that the bytes break, as an error has to name it.
    var broken: String?
    var description: String { "\(messages.count) messages\(broken.map { ", then: \($0)" } ?? "") \(messages)" }
    /// - Parameter expected: names the rule, where this has the whole error.
    func agrees(with expected: Outcome) -> Bool {
      messages == expected.messages && (broken == nil) == (expected.broken == nil)
        && broken?.contains(expected.broken ?? "") != false
    }
  }

  /// A `max` so small that mutations reach it.
  private static let framings: [Framing] =
    Framing.Width.allCases.flatMap { width in
      [(Framing.Endian.big, false), (.little, false), (.big, true), (.little, true)].map {
        Framing.lengthPrefixed(width, $0.0, includesHeader: $0.1, max: 300)
      }
    } + [
      .lines(max: 40), .lines(delimiter: [13, 10], max: 40), .lines(delimiter: Array("aab".utf8), max: 40), .fixed(1), .fixed(7),
      Framing(.bytes, max: 50),
    ]

  static var target: FuzzTarget {
    FuzzTarget(
      "framing", count: 10_000,
      seeds: framings.indices.flatMap { index -> [[UInt8]] in
        (0..<4).map { [UInt8(index), UInt8($0), 0] + stream(framings[index], UInt64($0)) }
      }, check: problem)
  }

  /// Messages of many lengths and what is around them.
  private static func stream(_ framing: Framing, _ seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return (0..<5).flatMap { _ -> [UInt8] in
      var message = [UInt8](repeating: 98, count: [0, 1, 3, 30, 130, 290].randomElement(using: &generator)!)
      switch framing.kind {
      case .lines(let delimiter): return message.prefix(40) + delimiter
      case .fixed(let size): return [UInt8](repeating: 98, count: size)
      case .bytes, .external: return message
      case .lengthPrefixed(let width, let endian, let includes):
        if width == .one { message = Array(message.prefix(200)) }
        var value = message.count
        if width == .varint {
          if includes { value += value + 1 < 128 ? 1 : 2 }
          return (value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128), UInt8(value >> 7)]) + message
        }
        if includes { value += width.rawValue }
        let big = (0..<width.rawValue).map { UInt8(truncatingIfNeeded: value >> (8 * (width.rawValue - 1 - $0))) }
        return (endian == .big ? big : big.reversed()) + message
      }
    }
  }

  /// - Parameter input: which framing, how to split, and the stream.
  private static func problem(_ input: [UInt8]) -> String? {
    guard input.count > 3 else { return nil }
    let framing = framings[Int(input[0]) % framings.count]
    let bytes = Array(input[3...])
    var generator = SeededGenerator(seed: UInt64(input[1]) << 8 | UInt64(input[2]))
    let expected = expected(framing, bytes)
    let pieces = split(bytes, &generator)
    let ways = [
      ("whole", taken([bytes], framing)), ("split", taken(pieces, framing)),
      ("byte by byte", taken(bytes.map { [$0] }, framing)), ("cut ahead", taken(cut(pieces, framing, &generator), framing)),
    ]
    for (way, outcome) in ways {
      // Chunks are as they come.
      let same =
        framing.kind == .bytes
        ? outcome.messages.joined().elementsEqual(bytes) && outcome.messages.allSatisfy { $0.count <= framing.max }
        : outcome.agrees(with: expected)
      if !same { return "\(framing) \(way): \(outcome) and not \(expected)" }
    }
    return nil
  }

  private static func split(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var next = 0
    while next < bytes.count {
      let end = min(bytes.count, next + Int.random(in: 1...[3, 20, 400].randomElement(using: &generator)!, using: &generator))
      pieces.append(Array(bytes[next..<end]))
      next = end
    }
    return pieces
  }

  /// As a connection does it.
  private static func taken(_ pieces: [[UInt8]], _ framing: Framing) -> Outcome {
    let inbound = Inbound()
    inbound.framing = framing
    var outcome = Outcome()
    for piece in pieces where outcome.broken == nil {
      piece.withUnsafeBytes { bytes in
        inbound.open(bytes)
        defer { inbound.close() }
        guard inbound.count >= inbound.wanted else { return }
        while true {
          switch inbound.nextMessage() {
          case .message(let message): outcome.messages.append(Array(message))
          case .needMore: return
          case .invalid(let words): return outcome.broken = words
          }
        }
      }
    }
    return outcome
  }

  /// As an I/O loop hands the pieces on; what it gives in place is gone afterwards.
  private static func cut(_ pieces: [[UInt8]], _ framing: Framing, _ generator: inout SeededGenerator) -> [[UInt8]] {
    var cutter = FrameCutter()
    var given: [[UInt8]] = []
    func give(_ cut: FrameCutter.Cut) {
      switch cut {
      case .inPlace(let view): given.append(Array(view))
      case .own(let own): given.append(Array(own.view))
      }
    }
    cutter.begin(framing, give)
    for piece in pieces {
      let isLast = Bool.random(using: &generator)
      piece.withUnsafeBytes { cutter.take($0, isLast: isLast, give) }
    }
    cutter.flush(give)
    return given
  }

  /// The rules, as docs/lua-reference.md has them, one byte after the other.
  private static func expected(_ framing: Framing, _ bytes: [UInt8]) -> Outcome {
    var outcome = Outcome()
    var rest = bytes[...]
    while !rest.isEmpty {
      switch framing.kind {
      case .bytes, .external: return outcome
      case .fixed(let size):
        guard rest.count >= size else { return outcome }
        outcome.messages.append(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
      case .lines(let delimiter):
        let ends = rest.indices.first { rest[$0...].starts(with: delimiter) }
        let length = (ends ?? rest.endIndex) - rest.startIndex
        if ends == nil, length < framing.max + delimiter.count { return outcome }
        if ends == nil || length > framing.max {
          outcome.broken = "over the codec's max of \(framing.max)"
          return outcome
        }
        outcome.messages.append(Array(rest.prefix(length)))
        rest = rest.dropFirst(length + delimiter.count)
      case .lengthPrefixed(let width, let endian, let includes):
        guard let header = header(rest, width, endian) else { return outcome }
        let own = includes ? header.size : 0
        guard let value = header.value, value >= own, value - own <= framing.max else {
          let isShort = header.problem == nil && header.value.map { $0 < own } == true
          outcome.broken =
            header.problem ?? (isShort ? "does not cover its own header" : "over the codec's max of \(framing.max)")
          return outcome
        }
        guard rest.count >= header.size + value - own else { return outcome }
        outcome.messages.append(Array(rest.dropFirst(header.size).prefix(value - own)))
        rest = rest.dropFirst(header.size + value - own)
      }
    }
    return outcome
  }

  /// nil: not all there. No value: not a length of any message, and why where the length itself is wrong.
  private static func header(_ bytes: ArraySlice<UInt8>, _ width: Framing.Width, _ endian: Framing.Endian) -> (
    size: Int, value: Int?, problem: String?
  )? {
    var value: Double = 0
    guard width == .varint else {
      guard bytes.count >= width.rawValue else { return nil }
      let digits = bytes.prefix(width.rawValue)
      for byte in endian == .big ? Array(digits) : digits.reversed() { value = value * 256 + Double(byte) }
      return (width.rawValue, value < 1e15 ? Int(value) : nil, nil)
    }
    var weight = 1.0
    for (index, byte) in bytes.enumerated() {
      if index == 9, byte > 1 { return (10, nil, "over 64 bits") }
      value += weight * Double(byte & 127)
      weight *= 128
      guard byte < 128 else { continue }
      if byte == 0 && index > 0 { return (index + 1, nil, "not in its shortest form") }
      return (index + 1, value >= 1e15 ? nil : Int(value), nil)
    }
    return nil
  }
}
