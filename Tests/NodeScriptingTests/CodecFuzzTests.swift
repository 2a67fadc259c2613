import FuzzSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct CodecFuzzTests {
  @Test(arguments: CodecTargets.names)
  func `Whatever arrives, every split gives the same, what was decoded encodes to itself, and errors name their rule`(
    name: String
  ) throws {
    #expect(try CodecTargets.decoding(name).firstProblem() == nil)
  }

  @Test(arguments: CodecTargets.encoders)
  func `Any value is refused in words, or its bytes are messages that are encoded to the same bytes`(name: String) throws {
    #expect(try CodecTargets.encoding(name).firstProblem() == nil)
  }
}
