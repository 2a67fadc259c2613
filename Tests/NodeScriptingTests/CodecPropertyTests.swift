import LuaHost
import NodeCore
import Testing

/// Whatever is sent comes back, however the stream is cut: each codec against random messages and random splits.
@Suite struct CodecPropertyTests {
  @Test(arguments: CodecCases.names)
  func `Messages survive every split of the stream`(name: String) throws {
    let harness = try PreludeHarness(CodecCases.lua)
    var generator = SeededGenerator(seed: 0x6D6F_6F6E)
    try harness.call("seed") { $0.integer(Int64(bitPattern: generator.next())) }
    for _ in 0..<60 {
      let stream = try harness.call("begin") { $0.string(name) }[0].bytes!
      var pending: [UInt8] = []
      var start = 0
      while start < stream.count {
        let end = min(stream.count, start + Int.random(in: 1...9, using: &generator))
        pending += stream[start..<end]
        start = end
        while case let taken = try CodecCases.step(harness, pending), taken > 0 { pending.removeFirst(taken) }
      }
      #expect(pending.isEmpty)
      #expect(try harness.call("difference").first?.text == nil)
    }
  }
}
