/// Something that reads what others wrote, with inputs that go deep and a check that says what is wrong: nil, all is well.
///
/// The tests mutate its seeds by dice, `make fuzz` many more times, `make fuzz-guided` by what code an input reaches.
public struct FuzzTarget {
  /// Also that of its folder in Tests/Corpus.
  public let name: String
  /// Inputs in the short form.
  let count: Int
  public let seeds: [[UInt8]]
  public let check: ([UInt8]) throws -> String?

  public init(_ name: String, count: Int, seeds: [[UInt8]], check: @escaping ([UInt8]) throws -> String?) {
    self.name = name
    self.count = count
    self.seeds = seeds
    self.check = check
  }

  /// The first input for which the check says what is wrong, in words that say how to see it again; nil: all is well.
  public func firstProblem() throws -> String? {
    var fuzz = Fuzz(name, count: count, seeds: seeds)
    return try fuzz.firstProblem(check)
  }

  /// What it broke on once, and what guided runs found to reach most.
  public var corpus: [[UInt8]] { Fuzz.corpus(name) }
}
