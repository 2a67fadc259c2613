import Foundation

/// The file of accepted figures: lines of a name and a number behind comments, and the architecture they hold for.
struct AcceptedInstructions {
  private(set) var architecture = "unknown"
  private var figures: [(name: String, count: Int)] = []

  /// Counts of one program differ by less than 1% from run to run; another processor, for which the C library copies
  /// otherwise, may add some. What grows by more than this is a change.
  static let tolerance = 0.08

  init(contentsOf path: String) throws {
    try self.init(String(contentsOfFile: path, encoding: .utf8))
  }

  init(_ text: String) throws {
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count == 2 else { throw BenchError("a line of accepted figures is a name and a value, not: \(line)") }
      if words[0] == "architecture" {
        architecture = String(words[1])
      } else if let count = Int(words[1]), count > 0 {
        figures.append((String(words[0]), count))
      } else {
        throw BenchError("the figure of \(words[0]) is no whole number over 0: \(words[1])")
      }
    }
  }

  struct Verdict {
    var text: String
    var isDearer: Bool
  }

  /// One that nobody has accepted yet counts as dearer, so that none is forgotten.
  func verdict(on name: String, _ count: Int) -> Verdict {
    guard let expected = figures.first(where: { $0.name == name })?.count else {
      return Verdict(text: "\(name) \(count), nothing accepted yet", isDearer: true)
    }
    let change = Double(count - expected) / Double(expected)
    let percent = String(format: "%+.1f%%", change * 100)
    let text = "\(name) \(count), accepted \(expected) (\(percent))"
    if change > Self.tolerance {
      return Verdict(text: text + ": DEARER by more than \(Int(Self.tolerance * 100))%", isDearer: true)
    }
    let hint = change < -Self.tolerance ? ": cheaper; keep it with make accept-instructions" : ""
    return Verdict(text: text + hint, isDearer: false)
  }

  func replaced(by found: [String: Int], on date: String) -> AcceptedInstructions {
    var result = self
    result.architecture = Machine.architecture
    result.figures = found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    result.date = date
    return result
  }

  private var date = ""

  func write(to path: String) throws {
    let lines = [
      "# Instructions per message, from send to hook, as `make instructions` counts them and `make accept-instructions` writes",
      "# them; what grows by more than \(Int(Self.tolerance * 100))% fails. Release build, Swift and Lua as in the README. Accepted on \(date).",
      "architecture \(architecture)",
    ]
    let text = (lines + figures.map { "\($0.name) \($0.count)" }).joined(separator: "\n") + "\n"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }
}
