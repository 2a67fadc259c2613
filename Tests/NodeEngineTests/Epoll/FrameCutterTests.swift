import NodeCore
import Testing

@testable import NodeEngine

/// Where an I/O loop cuts what it hands over.
@Suite struct FrameCutterTests {
  /// What a cutter gave, as bytes, one entry for each hand-over.
  private struct Taker: ~Copyable {
    var cutter = FrameCutter()
    var given: [[UInt8]] = []

    init(_ framing: Framing) { cutter.begin(framing) { _ in } }

    mutating func take(_ bytes: some Sequence<UInt8>, isLast: Bool) {
      var bytes = Array(bytes)
      bytes.withUnsafeMutableBytes { memory in
        cutter.take(UnsafeRawBufferPointer(memory), isLast: isLast) { cut in
          given.append(Self.bytes(cut))
          // The loop that gets it may be done with it at once.
          if case .inPlace = cut { memory.initializeMemory(as: UInt8.self, repeating: 0xEE) }
        }
      }
    }

    mutating func runDry() { cutter.flush { given.append(Self.bytes($0)) } }

    private static func bytes(_ cut: FrameCutter.Cut) -> [UInt8] {
      switch cut {
      case .inPlace(let view): Array(view)
      case .own(let own): Array(own.view)
      }
    }
  }

  @Test func `While more is there, only whole frames are given`() {
    let (a, b) = (frame([1, 2, 3]), frame([UInt8](repeating: 7, count: 100)))
    var taker = Taker(.lengthPrefixed())
    taker.take(a + b.prefix(2), isLast: false)
    #expect(taker.given == [a])
    taker.take(b[2..<50], isLast: false)
    #expect(taker.given == [a])
    taker.take(b[50...] + a + a, isLast: false)
    #expect(taker.given == [a, b, a + a])
  }

  @Test(arguments: [1, 3, 4, 30])
  func `When nothing more is there, what has begun is given, and the next cuts are right`(begun: Int) {
    let (a, b) = (frame([1, 2, 3]), frame([UInt8](repeating: 7, count: 100)))
    for isDryLater in [false, true] {
      var taker = Taker(.lengthPrefixed())
      taker.take(a + b.prefix(begun), isLast: !isDryLater)
      if isDryLater { taker.runDry() }
      taker.runDry()
      #expect(Array(taker.given.joined()) == a + b.prefix(begun))
      let before = taker.given.count
      taker.take(b[begun...] + a + b.prefix(60), isLast: false)
      // Up to the end of a frame, however it is spread over hand-overs.
      #expect(Array(taker.given[before...].joined()) == b[begun...] + a)
      taker.take(b[60...], isLast: true)
      #expect(taker.given.last == b)
    }
  }

  @Test func `A frame longer than a read is given as it comes`() {
    let big = frame([UInt8](repeating: 9, count: 3 * EpollLoop.readSize))
    let small = frame([5])
    var taker = Taker(.lengthPrefixed(max: 1 << 30))
    taker.take(big.prefix(EpollLoop.readSize), isLast: false)
    #expect(taker.given.map(\.count) == [EpollLoop.readSize])
    taker.take(big.dropFirst(EpollLoop.readSize) + small + small.prefix(3), isLast: false)
    #expect(Array(taker.given.joined()) == big + small)
  }

  @Test func `One that began at the end of a read is not gathered either`() {
    let big = frame([UInt8](repeating: 9, count: 8 * EpollLoop.readSize))
    var taker = Taker(.lengthPrefixed(max: 1 << 30))
    taker.take(big.prefix(3), isLast: false)
    for count in 1...7 {
      taker.take(big.dropFirst(3 + (count - 1) * EpollLoop.readSize).prefix(EpollLoop.readSize), isLast: false)
      #expect(taker.given.map(\.count).reduce(0, +) == 3 + count * EpollLoop.readSize)
    }
  }

  @Test func `Bytes that are no frame are given as they are`() {
    var taker = Taker(.lengthPrefixed(max: 10))
    let bytes: [UInt8] = frame([1]) + [255, 255, 255, 255, 1, 2]
    taker.take(bytes, isLast: false)
    taker.take([3], isLast: false)
    #expect(taker.given == [bytes, [3]])
  }

  private static let framings: [Framing] = [
    .lengthPrefixed(), .lengthPrefixed(.varint), .lengthPrefixed(.two, .little), .fixed(37), .lines(), .bytes,
  ]

  @Test(arguments: framings)
  func `However it is read, the bytes are the same`(framing: Framing) {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<50 {
      // For the others these are just bytes: what they mean must not matter either.
      let bytes = (0..<20).flatMap { _ in frame([UInt8](repeating: 3, count: Int.random(in: 0...90, using: &generator))) }
      var taker = Taker(framing)
      var next = 0
      while next < bytes.count {
        let end = min(bytes.count, next + Int.random(in: 1...150, using: &generator))
        taker.take(bytes[next..<end], isLast: Bool.random(using: &generator))
        if Bool.random(using: &generator) { taker.runDry() }
        next = end
      }
      taker.runDry()
      #expect(Array(taker.given.joined()) == bytes)
    }
  }
}
