import Foundation
import NodeScripting
import TestNetwork
import Testing

@testable import APIReference

/// The shipped scripts and examples name only what is declared.
@Suite struct ScriptsAgainstDeclarationTests {
  @Test(.timeLimit(.minutes(5))) func `luacheck finds nothing in scripts, examples and the shipped Lua`() throws {
    let (status, text) = try luacheck(["--quiet", "scripts", "examples", "Sources/NodeScripting", "Sources/TestNetwork"])
    #expect(status == 0, "\(text)")
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["io.open('x')", "os.execute('x')", "string.dump(print)", "total = 1"])
  func `luacheck finds what the sandbox does not have`(mistake: String) async throws {
    try await withFolder { folder in
      let file = folder.appendingPathComponent("mistake.lua")
      try Data("\(mistake)\nreturn {}\n".utf8).write(to: file)
      let (status, text) = try luacheck(["--config", ".luacheckrc", file.path])
      #expect(status == 1 && text.contains("mistake.lua:1:"), "\(text)")
    }
  }

  private func luacheck(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["luacheck", "--no-color"] + arguments
    process.currentDirectoryURL = repository
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus != 127, "luacheck is missing: apt install lua-check")
    return (process.terminationStatus, text)
  }

  /// luacheck does not follow `local codec = require …` into the module, so this does.
  @Test func `Every module field and handle method in a script is declared`() throws {
    let sections = Document.sections
    var known: [String: Set<String>] = [:]
    for shape in sections.flatMap(\.classes) { known[shape.name] = Set(shape.methods.map(\.name)) }
    let modules = Dictionary(
      uniqueKeysWithValues: sections.flatMap(\.modules).map {
        ($0.name, Set(($0.fields.map(\.name) + $0.functions.map(\.name))))
      })
    let scripts = files(in: "scripts", ending: ".lua") + files(in: "examples", ending: ".lua")
    for url in scripts where !url.path.contains("/scripts/types/") {
      let code = code(of: try String(contentsOf: url, encoding: .utf8))
      for name in ["node", "conn", "net"] {
        for match in code.matches(of: try Regex("\\b\(name):([a-z_0-9]+)", as: (Substring, Substring).self)) {
          #expect(
            known[name]!.contains(String(match.output.1)), "\(url.lastPathComponent): \(match.output.0) is not declared"
          )
        }
      }
      for required in code.matches(of: /local (\w+) = require\s*\(?"(moonpeer\.\w+)"/) {
        let names = try #require(
          modules[String(required.output.2)], "\(url.lastPathComponent): no module \(required.output.2)")
        guard !names.isEmpty else { continue }
        for use in code.matches(
          of: try Regex("(?:^|[^\\w.:])\(required.output.1)\\.([a-z_]+)", as: (Substring, Substring).self))
        {
          #expect(names.contains(String(use.output.1)), "\(url.lastPathComponent): \(use.output.0) is not declared")
        }
      }
    }
  }

  /// Lua without its line comments.
  private func code(of text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.firstRange(of: "--").map { String(line[..<$0.lowerBound]) } ?? String(line)
    }.joined(separator: "\n")
  }
}
