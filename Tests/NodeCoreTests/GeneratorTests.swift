import NodeCore
import Testing

@Suite struct GeneratorTests {
  /// From the authors' C code (prng.di.unimi.it): xoshiro256starstar.c, its state filled by splitmix64.c.
  @Test(
    arguments: [
      (0, [0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c]),
      (1, [0xb3f2af6d0fc710c5, 0x853b559647364cea, 0x92f89756082a4514, 0x642e1c7bc266a3a7]),
      (42, [0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1, 0xecb8ad4703b360a1]),
      (UInt64.max, [0x8f5520d52a7ead08, 0xc476a018caa1802d, 0x81de31c0d260469e, 0xbf658d7e065f3c2f]),
    ] as [(UInt64, [UInt64])])
  func `The numbers are those of the published algorithm`(seed: UInt64, expected: [UInt64]) {
    var generator = SeededGenerator(seed: seed)
    #expect(expected.map { _ in generator.next() } == expected)
  }

  @Test func `A purpose has numbers of its own, the same every time`() {
    var whole = SeededGenerator(seed: 9)
    var first = whole.split("timers")
    let numbers = (0..<4).map { _ in first.next() }
    _ = whole.next()
    var again = whole.split("timers")
    #expect((0..<4).map { _ in again.next() } == numbers, "a draw from the whole does not move its parts")
    var other = whole.split("links")
    #expect((0..<4).map { _ in other.next() } != numbers)
  }
}
