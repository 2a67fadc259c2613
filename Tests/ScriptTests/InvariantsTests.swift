import Foundation
import Testing

/// docs/INVARIANTS.md names files and functions: they have to be there.
struct InvariantsTests {
  private struct Section: CustomTestStringConvertible, Sendable {
    var title: String
    var text: String
    var testDescription: String { title }

    /// A part that begins with `*name:*`, up to the next paragraph.
    func part(_ name: String) -> String? {
      guard let start = text.range(of: "*\(name):*")?.upperBound else { return nil }
      return String(text[start...].prefix(upTo: text[start...].range(of: "\n\n")?.lowerBound ?? text.endIndex))
    }

    /// What stands in backquotes there.
    func names(in part: String) throws -> [String] {
      let text = try #require(self.part(part), "\(title) does not say: \(part)")
      return text.matches(of: /`([^`]+)`/).map { String($0.1) }
    }
  }

  private static let sections: [Section] = {
    let text = (try? Repository.text("docs/INVARIANTS.md")) ?? ""
    return text.components(separatedBy: "\n## ").dropFirst().filter { $0.first?.isNumber == true }.map {
      Section(title: String($0.prefix { $0 != "\n" }), text: $0)
    }
  }()

  @Test func `There are some, and what is not promised is said too`() throws {
    #expect(Self.sections.count >= 8)
    #expect(try Repository.text("docs/INVARIANTS.md").contains("\n## Not promised\n"))
  }

  @Test(arguments: sections)
  private func `Each says how, where, what breaks without it and what holds it`(section: Section) throws {
    for part in ["Enforced", "Where", "Without it", "Held by"] { #expect(section.part(part) != nil, "no \(part)") }
  }

  @Test(arguments: sections) private func `The functions are in the files that it names`(section: Section) throws {
    var file = ""
    var text = ""
    var count = 0
    for name in try section.names(in: "Where") {
      if [".swift", ".c", ".lua"].contains(where: name.hasSuffix) {
        file = name
        text = try Repository.text(name.hasPrefix("CLua/") ? name : "Sources/\(name)")
        continue
      }
      let declared = try Regex("\\b(func|var|let|case|class|struct|enum|protocol|function) (M\\.)?\(name)\\b")
      #expect(text.firstMatch(of: declared) != nil, "\(file) has no \(name)")
      count += 1
    }
    #expect(count > 0)
  }

  @Test(arguments: sections) private func `The tests that it names exist`(section: Section) throws {
    let suites = try section.names(in: "Held by").compactMap { $0.split(separator: ".").first }.filter { $0.hasSuffix("Tests") }
    #expect(!suites.isEmpty)
    let files = FileManager.default.enumerator(atPath: Repository.path("Tests"))?.compactMap { $0 as? String } ?? []
    for suite in suites {
      #expect(files.contains { $0.hasSuffix("/\(suite).swift") }, "there is no \(suite)")
    }
  }
}
