import NodeCore
import Testing

@testable import NodeEngine

/// Counting the messages that wait while a hook is busy: right whatever is taken meanwhile, and each byte looked at once.
@Suite struct WaitingMessagesTests {
  private func receive(_ bytes: [UInt8], _ inbound: Inbound) {
    bytes.withUnsafeBytes {
      inbound.open($0)
      inbound.close()
    }
  }

  private func inbound(_ framing: Framing, _ text: String) -> Inbound {
    let inbound = Inbound()
    inbound.framing = framing
    receive(Array(text.utf8), inbound)
    return inbound
  }

  /// Makes a line feed of every byte that is there. Who looks at them again finds lines that nobody has sent.
  private func setTrap(_ inbound: Inbound) {
    let bytes = UnsafeMutableRawBufferPointer(mutating: inbound.bytes)
    for index in bytes.indices { bytes[index] = 10 }
  }

  private func next(_ inbound: Inbound) -> String? {
    if case .message(let bytes) = inbound.nextMessage() { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  @Test func `What was counted is not looked at again`() {
    let inbound = inbound(.lines(), "one\ntwo\nunfinished")
    #expect(inbound.waitingMessages(limit: 64) == 2)
    setTrap(inbound)
    #expect(inbound.waitingMessages(limit: 64) == 2)
    receive([1, 2], inbound)
    #expect(inbound.waitingMessages(limit: 64) == 2)
    receive([10], inbound)
    #expect(inbound.waitingMessages(limit: 64) == 3)
  }

  @Test func `Nor is it once some of the messages are taken`() {
    let inbound = inbound(.lines(), "one\ntwo\nunfinished")
    #expect(inbound.waitingMessages(limit: 64) == 2)
    #expect(next(inbound) == "one")
    setTrap(inbound)
    #expect(inbound.waitingMessages(limit: 64) == 1)
    receive([10], inbound)
    #expect(inbound.waitingMessages(limit: 64) == 2)
  }

  @Test func `Nor what is left where messages are dropped`() {
    let inbound = inbound(.lines(), "one\ntwo\nthree\nunfinished")
    #expect(inbound.dropMessages(beyond: 1) == 2)
    setTrap(inbound)
    #expect(inbound.dropMessages(beyond: 1) == 0)
    receive([1, 10, 2], inbound)
    #expect(inbound.dropMessages(beyond: 1) == 1)
    #expect(inbound.count == "one\n".utf8.count + 1)
  }

  @Test func `A line that is too long is found to be once`() {
    let inbound = inbound(.lines(max: 5), "one\ntoo long a line\n")
    #expect(inbound.waitingMessages(limit: 64) == 1)
    setTrap(inbound)
    #expect(inbound.waitingMessages(limit: 64) == 1)
  }

  @Test func `Pieces of a stream without messages grow, and are counted as they would be handed out`() {
    let inbound = inbound(Framing(.bytes, max: 4), "abc")
    #expect(inbound.waitingMessages(limit: 64) == 1)
    receive([1], inbound)
    #expect(inbound.waitingMessages(limit: 64) == 1)
    receive([2], inbound)
    #expect(inbound.waitingMessages(limit: 64) == 2)
    #expect(inbound.dropMessages(beyond: 1) == 1)
    #expect(inbound.count == 4)
  }

  @Test func `The bytes behind a delimiter's beginning are looked at with it`() {
    var search = DelimiterSearch(Array("abc".utf8))
    let text = Array("xxabxabc".utf8)
    for count in 0..<text.count {
      #expect(text[..<count].withUnsafeBytes { search.find(in: $0) } == nil)
    }
    // What was found to be none stays none.
    let other = Array("abcbxabc".utf8)
    #expect(other.withUnsafeBytes { search.find(in: $0) } == 5)
  }

  /// Random bytes arrive, messages and bytes are taken, dropped and counted in any order: it is as if they were counted anew.
  @Test(arguments: FramingCase.all, [1, 2, 3] as [UInt64]) func `Whatever happens in between, the count is right`(
    framing: FramingCase, seed: UInt64
  ) {
    var generator = SeededGenerator(seed: seed)
    let inbound = Inbound()
    inbound.framing = framing.framing
    func anew(_ limit: Int) -> Int {
      var count = MessageCount()
      count.count(inbound.bytes, framing.framing, limit: limit)
      return count.messages
    }
    var supply = framing.wire[...]
    for _ in 0..<600 {
      let limit = Int.random(in: 0...6, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: _ = inbound.nextMessage()
      case 1:
        let whole = anew(.max)
        #expect(inbound.dropMessages(beyond: limit) == max(0, whole - limit))
        #expect(anew(.max) == min(whole, limit))
      case 2 where Int.random(in: 0..<20, using: &generator) == 0:
        // Somebody reads raw bytes, or the framing is set anew: on a boundary, so that what follows can be cut.
        var count = MessageCount()
        count.count(inbound.bytes, framing.framing, limit: 1)
        inbound.consume(count.size)
        if Bool.random(using: &generator) { inbound.framing = framing.framing }
      default:
        if supply.isEmpty { supply = framing.wire[...] }
        let piece = Array(supply.prefix(Int.random(in: 1...9, using: &generator)))
        supply = supply.dropFirst(piece.count)
        receive(piece, inbound)
      }
      let counted = inbound.waitingMessages(limit: limit) ?? -1
      #expect(min(counted, limit) == anew(limit))
    }
  }
}
