import NodeCore

/// Makes inputs of inputs: a few changes each, of the kinds that parsers are known to stumble over.
struct Mutator {
  let seeds: [[UInt8]]
  var generator: SeededGenerator

  private static let telling: [UInt8] = [0, 1, 0x0A, 0x0D, 0x20, 0x22, 0x7F, 0x80, 0xFE, 0xFF]
  private static let longest = 4096

  mutating func next() -> [UInt8] {
    var bytes = seeds.randomElement(using: &generator) ?? []
    if Int.random(in: 0..<16, using: &generator) == 0 { bytes = noise(Int.random(in: 0...64, using: &generator)) }
    for _ in 0..<Int.random(in: 0...4, using: &generator) { mutate(&bytes) }
    return Array(bytes.prefix(Self.longest))
  }

  private mutating func noise(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  /// A part of it, from none to all.
  private mutating func range(_ bytes: [UInt8]) -> Range<Int> {
    let start = Int.random(in: 0...bytes.count, using: &generator)
    return start..<Int.random(in: start...bytes.count, using: &generator)
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    let place = Int.random(in: 0...bytes.count, using: &generator)
    switch Int.random(in: 0..<9, using: &generator) {
    case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1 where place < bytes.count: bytes[place] = Self.telling.randomElement(using: &generator)!
    case 2 where place < bytes.count: bytes[place] &+= Bool.random(using: &generator) ? 1 : 255
    case 3: bytes.insert(Self.telling.randomElement(using: &generator)!, at: place)
    case 4: bytes.insert(contentsOf: noise(Int.random(in: 1...8, using: &generator)), at: place)
    case 5: bytes.removeSubrange(range(bytes))
    case 6: bytes.insert(contentsOf: bytes[range(bytes)], at: place)
    case 7: bytes.removeLast(bytes.count - place)
    default:
      let other = seeds.randomElement(using: &generator) ?? []
      bytes.insert(contentsOf: other[range(other)], at: place)
    }
  }
}
