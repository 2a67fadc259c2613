import NodeCore
import Testing

@testable import NodeEngine

/// A framing, the messages of a test and the bytes they are on the wire, written by hand and not by the code under test.
struct FramingCase: Sendable, CustomTestStringConvertible {
  let name: String
  let framing: Framing
  let messages: [[UInt8]]
  let wire: [UInt8]
  var testDescription: String { name }

  static func prefixed(_ width: Framing.Width, _ endian: Framing.Endian, _ includes: Bool) -> FramingCase {
    let messages: [[UInt8]] = [[1, 2, 3], [], [9], [UInt8](repeating: 7, count: 200), [0, 0, 0, 0]]
    let wire = messages.flatMap { message -> [UInt8] in
      var value = message.count
      if width == .varint {
        if includes { value += value + 1 < 128 ? 1 : 2 }
        return (value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128), UInt8(value >> 7)]) + message
      }
      if includes { value += width.rawValue }
      let big = (0..<width.rawValue).map { UInt8(value >> (8 * (width.rawValue - 1 - $0)) & 255) }
      return (endian == .big ? big : big.reversed()) + message
    }
    return FramingCase(
      name: "length-prefixed \(width) \(endian)\(includes ? " with its header" : "")",
      framing: .lengthPrefixed(width, endian, includesHeader: includes), messages: messages, wire: wire)
  }

  static let all: [FramingCase] =
    Framing.Width.allCases.flatMap { width in
      [(Framing.Endian.big, false), (.little, false), (.big, true), (.little, true)].map { prefixed(width, $0.0, $0.1) }
    } + [
      FramingCase(
        name: "lines", framing: .lines(), messages: ["one", "", "three"].map { Array($0.utf8) },
        wire: Array("one\n\nthree\n".utf8)),
      FramingCase(
        name: "CRLF lines with a lone CR", framing: .lines(delimiter: [13, 10]),
        messages: ["a\rb", "\r", "c"].map { Array($0.utf8) },
        wire: Array("a\rb".utf8) + [13, 10, 13, 13, 10] + Array("c".utf8) + [13, 10]),
      FramingCase(
        name: "lines ended by a pattern that repeats", framing: .lines(delimiter: Array("aab".utf8)),
        messages: ["a", "xa", ""].map { Array($0.utf8) }, wire: Array("aaabxaaabaab".utf8)),
      FramingCase(name: "fixed", framing: .fixed(3), messages: [[1, 2, 3], [4, 5, 6]], wire: [1, 2, 3, 4, 5, 6]),
      FramingCase(name: "single bytes", framing: .fixed(1), messages: [[1], [2]], wire: [1, 2]),
    ]
}

@Suite struct FramingTests {
  private func drain(_ inbound: Inbound, into messages: inout [[UInt8]]) -> String? {
    while true {
      switch inbound.nextMessage() {
      case .message(let bytes): messages.append(Array(bytes))
      case .needMore: return nil
      case .invalid(let why): return why
      }
    }
  }

  /// As the connection does it: nobody looks before as many bytes are there as are needed.
  private func feed(_ pieces: [[UInt8]], _ framing: Framing) -> (messages: [[UInt8]], problem: String?) {
    let inbound = Inbound()
    inbound.framing = framing
    var messages: [[UInt8]] = []
    for piece in pieces {
      let problem = piece.withUnsafeBytes { bytes in
        inbound.open(bytes)
        defer { inbound.close() }
        return inbound.count >= inbound.wanted ? drain(inbound, into: &messages) : nil
      }
      if let problem { return (messages, problem) }
    }
    return (messages, nil)
  }

  @Test(arguments: FramingCase.all)
  func `Cut at every byte boundary the messages are the same`(one: FramingCase) {
    for index in 0...one.wire.count {
      #expect(
        feed([Array(one.wire[..<index]), Array(one.wire[index...])], one.framing).messages == one.messages, "cut at \(index)")
    }
    #expect(feed(one.wire.map { [$0] }, one.framing).messages == one.messages, "byte by byte")
    #expect(feed([one.wire], one.framing).messages == one.messages, "in one piece")
  }

  @Test(arguments: FramingCase.all)
  func `Cut anyhow, and many times over, they are the same too`(one: FramingCase) {
    var generator = SeededGenerator(seed: 11)
    let wire = (0..<20).flatMap { _ in one.wire }
    var pieces: [[UInt8]] = []
    var rest = wire[...]
    while !rest.isEmpty {
      let count = min(rest.count, Int.random(in: 1...97, using: &generator))
      pieces.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    #expect(feed(pieces, one.framing).messages == (0..<20).flatMap { _ in one.messages })
  }

  @Test func `Raw bytes come as they come, in pieces of at most max`() {
    let (messages, _) = feed([[1, 2, 3, 4, 5], [6]], Framing(.bytes, max: 2))
    #expect(messages == [[1, 2], [3, 4], [5], [6]])
  }

  @Test(
    arguments: [
      (Framing.lengthPrefixed(.four, max: 10), [0, 0, 0, 11], "declares 11 bytes, over the codec's max of 10"),
      (.lengthPrefixed(.four, max: 10), [255, 255, 255, 255], "over the codec's max of 10"),
      (.lengthPrefixed(.one, max: 10), [11], "declares 11 bytes"),
      (.lengthPrefixed(.three, .little, max: 10), [0, 0, 1], "declares 65536 bytes"),
      (.lengthPrefixed(.eight, max: 10), [255, 0, 0, 0, 0, 0, 0, 0], "over the codec's max of 10"),
      (.lengthPrefixed(.eight, includesHeader: true, max: 10), [UInt8](repeating: 255, count: 8), "over the codec's max of 10"),
      (.lengthPrefixed(.two, includesHeader: true), [0, 1], "does not cover its own header of 2 bytes"),
      (.lengthPrefixed(.varint, includesHeader: true), [0], "does not cover its own header of 1 bytes"),
      (.lengthPrefixed(.varint), [128, 0], "not in its shortest form"),
      (.lengthPrefixed(.varint), [255, 128, 0], "not in its shortest form"),
      (.lengthPrefixed(.varint), [UInt8](repeating: 255, count: 9) + [2], "over 64 bits"),
      (.lengthPrefixed(.varint), [UInt8](repeating: 255, count: 9) + [1], "over the codec's max"),
      (.lines(max: 3), [65, 65, 65, 65], "over the codec's max of 3"),
      (.lines(max: 3), [65, 65, 65, 65, 10], "over the codec's max of 3"),
      (.lines(delimiter: [13, 10], max: 3), [65, 65, 65, 13, 65], "over the codec's max of 3"),
    ] as [(Framing, [UInt8], String)])
  func `A length that lies is refused as soon as it is known`(framing: Framing, wire: [UInt8], why: String) {
    for pieces in [[wire], wire.map { [$0] }] {
      let (messages, problem) = feed(pieces, framing)
      #expect(messages.isEmpty)
      #expect(problem?.contains(why) == true, "\(problem ?? "accepted")")
    }
  }

  @Test(
    arguments: [
      (Framing.lengthPrefixed(.four, max: 3), frame([1, 2, 3]), [1, 2, 3]), (.lines(max: 3), [65, 65, 65, 10], [65, 65, 65]),
      (.lines(delimiter: [13, 10], max: 3), [65, 65, 13, 13, 10], [65, 65, 13]),
      (.lengthPrefixed(.varint, max: 3), [3, 1, 2, 3], [1, 2, 3]),
    ] as [(Framing, [UInt8], [UInt8])])
  func `A message of exactly max is one`(framing: Framing, wire: [UInt8], message: [UInt8]) {
    #expect(feed(wire.map { [$0] }, framing).messages == [message])
  }

  @Test func `What cannot be framed is refused in words`() {
    #expect(Framing.lengthPrefixed(.one, max: 1000).problem(sending: 256)?.contains("does not fit a length of 1 bytes") == true)
    #expect(Framing.lengthPrefixed(.one, max: 1000).problem(sending: 255) == nil)
    #expect(Framing.lengthPrefixed(.one, includesHeader: true, max: 1000).problem(sending: 255) != nil)
    #expect(Framing.lengthPrefixed(.two, max: 1 << 20).problem(sending: 65_536) != nil)
    #expect(Framing.fixed(4).problem(sending: 3)?.contains("exactly 4 bytes") == true)
    #expect(Framing.bytes.problem(sending: (1 << 20) + 1)?.contains("over the codec's max") == true)
  }

  @Test func `A framing that could cut nothing says so`() {
    for framing in [
      Framing(.bytes, max: 0), Framing(.bytes, max: .max), .fixed(0), .fixed(-1), .lines(delimiter: []),
      Framing(.fixed(9), max: 8),
    ] {
      #expect(framing.problem != nil, "\(framing)")
    }
    for framing in [Framing.bytes, .fixed(1), .lines(), .lengthPrefixed(), Framing(.external)] { #expect(framing.problem == nil) }
  }
}
