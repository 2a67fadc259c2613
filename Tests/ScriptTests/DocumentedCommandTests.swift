import Foundation
import Testing

/// The commands in our documentation: what they name exists. They are not run here; Tests/CLITests runs the program.
@Suite struct DocumentedCommandTests {
  /// Programs a reader has, or is told to get, beside ours.
  static let others: Set = [
    "cd", "git", "sudo", "apt-get", "swift", "nc", "redis-cli", "redis-benchmark", "python3", "kill", "cat", "export",
  ]

  @Test(arguments: Document.blocks("sh")) func `A command in the documentation exists`(block: Document.Block) async throws {
    let made = Set(Document(block.document).blocks.compactMap(\.fileName))
    for command in Self.commands(in: block.text) {
      let place = "\(block.testDescription): \(command.joined(separator: " "))"
      var words = command[...]
      while let word = words.first, word.contains("="), !word.hasPrefix("-") { words.removeFirst() }
      if words.starts(with: ["swift", "run"]) { words.removeFirst(2) }
      guard let program = words.popFirst() else { continue }
      switch program.split(separator: "/").last {
      case "moonpeer": try await check(Array(words), made, place)
      case "make":
        let targets = try Self.makeTargets()
        for word in words where !word.contains("=") { #expect(targets.contains(word), "\(place): the Makefile has no \(word)") }
      default: #expect(Self.others.contains(program), "\(place): \(program) is not a program the documentation may use")
      }
    }
  }

  /// The lines of a block as words, without comments; `a | b && c` are three commands.
  static func commands(in text: String) -> [[String]] {
    text.replacing("\\\n", with: " ").split(separator: "\n").flatMap { line in
      let code = line.hasPrefix("#") ? "" : line.firstRange(of: " #").map { line[..<$0.lowerBound] } ?? line
      let pieces = code.replacing("&&", with: "|").replacing(";", with: "|").split(separator: "|")
      return pieces.map { $0.split(separator: " ").map(String.init).filter { $0 != "&" && $0 != "…" } }
    }.filter { !$0.isEmpty }
  }

  private func check(_ words: [String], _ made: Set<String>, _ place: String) async throws {
    let overview = try await Self.help([])
    var options = overview.text
    if let subcommand = words.first, !subcommand.hasPrefix("-") {
      let isKnown = overview.text.contains(try Regex("(?m)^  \(NSRegularExpression.escapedPattern(for: subcommand)) "))
      #expect(isKnown || subcommand == "help", "\(place): moonpeer has no \(subcommand)")
      options = try await Self.help(subcommand == "help" ? [] : [subcommand]).text
      // What `new` makes is not there yet.
      if subcommand == "new" { return }
    }
    for word in words where word.hasPrefix("--") {
      let name = String(word.prefix { $0 != "=" })
      let isKnown = options.contains(try Regex("\(name)(?![\\w-])"))
      #expect(isKnown, "\(place): there is no \(name)")
    }
    let folders = Set(Document(String(place.prefix { $0 != ":" })).newFolders)
    for word in words where word.hasSuffix(".lua") {
      let isMade = made.contains(word) || folders.contains { word.hasPrefix($0 + "/") }
      #expect(isMade || Repository.exists(word), "\(place): there is no \(word)")
    }
  }

  private static func help(_ words: [String]) async throws -> Tool.Output {
    let binary = Repository.binary
    try #require(FileManager.default.isExecutableFile(atPath: binary), "\(binary) is missing: swift build makes it")
    return try await Tool(path: binary).run((words.isEmpty ? [] : ["help"]) + (words.isEmpty ? ["--help"] : words), seconds: 30)
  }

  private static func makeTargets() throws -> Set<String> {
    let lines = try Repository.text("Makefile").split(separator: "\n")
    return Set(lines.compactMap { $0.prefixMatch(of: /([a-z][\w-]*)\s*:(?!=)/).map { String($0.output.1) } })
  }
}

extension Document {
  /// The folders that a `moonpeer new NAME` in its commands makes.
  var newFolders: [String] {
    blocks.filter { $0.language == "sh" }.flatMap { DocumentedCommandTests.commands(in: $0.text) }.compactMap { words in
      guard let index = words.firstIndex(of: "new"), words.indices.contains(index + 1) else { return nil }
      return words[index + 1]
    }
  }
}
