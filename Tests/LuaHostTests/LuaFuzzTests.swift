import FuzzSupport
import Testing

/// What our C code does with values that scripts choose.
@Suite(.timeLimit(.minutes(10))) struct LuaFuzzTests {
  @Test func `A decoder that answers nonsense costs its connection, and nothing else`() throws {
    #expect(try DecoderTarget.target().firstProblem() == nil)
  }

  @Test func `A decoder's view answers as a string does, and shows nothing beyond what has arrived`() throws {
    #expect(try ViewTarget.target().firstProblem() == nil)
  }

  @Test func `Patterns of any bytes come to what they come to in Lua itself`() throws {
    #expect(try PatternTarget.target().firstProblem() == nil)
  }

  @Test func `A value goes to Swift and back as it is, or is refused with the reason`() throws {
    #expect(try ValueTarget.target().firstProblem() == nil)
  }
}
