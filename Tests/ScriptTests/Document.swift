import Foundation
import Testing

/// A Markdown file of ours, and the code in it.
///
/// Every block is checked. What its language says is how:
///
/// - `lua`, first line `-- path/in/this/repository.lua`: an excerpt. The rest stands in that file word for word.
/// - `lua`, first line `-- hello.lua`: a file that the reader makes. All of a document's files lie in one folder, beside the
///   shipped scripts; a script loads without a mistake, and a file with scenarios passes.
/// - `lua` without such a line: a fragment. It compiles: as statements with `node`, `conn` and so on in scope, as the fields
///   of a script's table, or as an expression. What it calls on `node`, `conn`, `net` and `codec` is in docs/lua-reference.md.
/// - `swift`: an excerpt too, first line `// Tests/External/…`, because that is compiled and run.
/// - `sh`: a line of it starts a program from a short list. Of `moonpeer` the subcommand, the options and the Lua files must
///   exist; of `make` the target.
/// - `json`: parses, as a whole or each line by itself.
/// - `text`: what a program prints, or a picture. The only kind that nobody checks.
///
/// Any other language, or none, is a failure.
struct Document: CustomTestStringConvertible, Sendable {
  struct Block: CustomTestStringConvertible, Sendable {
    var document: String
    var line: Int
    var language: String
    var text: String
    var testDescription: String { "\(document):\(line)" }

    var firstLine: Substring { text.prefix { $0 != "\n" } }
    /// The text without its first line and without blank lines around it.
    var rest: String { text.dropFirst(firstLine.count).trimmingCharacters(in: .newlines) }
    /// The file that a first line such as `-- hello.lua` names.
    var fileName: String? {
      let words = firstLine.split(separator: " ")
      guard words.count == 2, words[0] == "--" || words[0] == "//" else { return nil }
      guard words[1].hasSuffix(".lua") || words[1].hasSuffix(".swift") else { return nil }
      return String(words[1])
    }
    /// Whether the file it names is one of the repository.
    var isExcerpt: Bool {
      guard let fileName else { return false }
      return ["scripts/", "examples/", "Tests/", "Sources/", "docs/"].contains { fileName.hasPrefix($0) }
    }
  }

  var path: String
  var blocks: [Block]
  /// Of a block that does not end.
  var problem: String?
  var testDescription: String { path }

  static let all: [Document] = {
    var paths = ["README.md", "CHANGELOG.md"].filter(Repository.exists)
    paths += Repository.names(in: "docs").filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }
    paths += Repository.examples.map { "\($0)/README.md" }.filter(Repository.exists)
    return paths.map(Document.init)
  }()

  static func blocks(_ language: String) -> [Block] { all.flatMap(\.blocks).filter { $0.language == language } }

  init(_ path: String) {
    self.path = path
    blocks = []
    var open: (line: Int, indent: Int, language: String, lines: [Substring])?
    let lines = ((try? Repository.text(path)) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let text = line.drop { $0 == " " }
      let indent = line.count - text.count
      if var block = open {
        if text.hasPrefix("```") {
          blocks.append(
            Block(document: path, line: block.line, language: block.language, text: block.lines.joined(separator: "\n") + "\n"))
          open = nil
        } else {
          block.lines.append(line.dropFirst(min(indent, block.indent)))
          open = block
        }
      } else if text.hasPrefix("```") {
        open = (index + 1, indent, text.dropFirst(3).trimmingCharacters(in: .whitespaces), [])
      }
    }
    if let open { problem = "the block of line \(open.line) does not end" }
  }
}
