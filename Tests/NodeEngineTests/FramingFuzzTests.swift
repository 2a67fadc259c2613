import FuzzSupport
import Testing

@Suite struct FramingFuzzTests {
  @Test func `Whatever arrives, and however it is split, the messages are the same, and what is none names the broken rule`()
    throws
  {
    #expect(try FramingTarget.target.firstProblem() == nil)
  }
}
