import Foundation
import NodeCore

/// Inputs for one target: those it broke on once, then mutations of its seeds, from a number that says them all again.
///
/// `MOONPEER_FUZZ_TIMES` multiplies how many there are, `MOONPEER_FUZZ_SEED` says which: `make fuzz`.
public struct Fuzz {
  private let target: String
  private let count: Int
  private var mutator: Mutator
  private let seed: UInt64

  /// - Parameters:
  ///   - target: its name, and that of its folder in Tests/Corpus.
  ///   - count: inputs in the short form.
  ///   - seeds: inputs that go deep.
  public init(_ target: String, count: Int, seeds: [[UInt8]]) {
    let environment = ProcessInfo.processInfo.environment
    self.target = target
    self.count = count * max(1, environment["MOONPEER_FUZZ_TIMES"].flatMap(Int.init) ?? 1)
    seed = environment["MOONPEER_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
    mutator = Mutator(seeds: seeds + Self.corpus(target), generator: SeededGenerator(seed: seed).split(target))
  }

  /// The first input for which the check says what is wrong, in words that say how to see it again; nil: all is well.
  public mutating func firstProblem(_ check: ([UInt8]) throws -> String?) rethrows -> String? {
    FuzzCount.add(target, mutator.seeds.count + count)
    for input in mutator.seeds {
      if let problem = try check(input) { return described(problem, "a seed or one of the corpus", input) }
    }
    for index in 0..<count {
      let input = mutator.next()
      if let problem = try check(input) { return described(problem, "MOONPEER_FUZZ_SEED=\(seed), input \(index)", input) }
    }
    return nil
  }

  /// All of them, for what is not checked one by one.
  public mutating func inputs() -> [[UInt8]] {
    FuzzCount.add(target, mutator.seeds.count + count)
    return mutator.seeds + (0..<count).map { _ in mutator.next() }
  }

  private func described(_ problem: String, _ which: String, _ input: [UInt8]) -> String {
    let hex = input.map { String(format: "%02x", $0) }.joined()
    return "\(target): \(problem) (\(which); keep it as Tests/Corpus/\(target)/NAME.hex)\n\(hex)"
  }

  /// What was found before: files of hexadecimal digits, an input a line.
  static func corpus(_ target: String) -> [[UInt8]] {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let folder = tests.appending(path: "Corpus/\(target)").path(percentEncoded: false)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".hex") }.sorted().flatMap { name in
      let text = (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
      return text.split(separator: "\n").map { line in
        let values = line.compactMap(\.hexDigitValue)
        return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
      }
    }
  }
}
