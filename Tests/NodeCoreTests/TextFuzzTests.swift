import FuzzSupport
import Testing

@Suite struct TextFuzzTests {
  @Test func `An address that is read is written as the same address`() throws {
    #expect(try TextTargets.address.firstProblem() == nil)
  }

  @Test func `A configuration takes a value as it gives it, or refuses it by its key`() throws {
    #expect(try TextTargets.configuration.firstProblem() == nil)
  }
}
