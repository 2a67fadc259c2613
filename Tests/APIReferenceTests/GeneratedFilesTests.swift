import Foundation
import LuaHost
import Testing

@testable import APIReference

/// What is generated from the declaration is what is committed.
@Suite struct GeneratedFilesTests {
  @Test(arguments: Document.all.map(\.path))
  func `A generated file is up to date`(path: String) throws {
    let wanted = try #require(Document.all.first { $0.path == path }).text
    let found = try? String(contentsOf: repository.appendingPathComponent(path), encoding: .utf8)
    #expect(found == wanted, "\(path) differs from the declaration in Sources/*/API: run make api")
  }

  @Test func `No annotation file is left from before`() {
    let found = files(in: "scripts/types", ending: ".lua").map { String($0.path.dropFirst(repository.path.count + 1)) }
    #expect(found == Document.all.map(\.path).filter { $0.hasPrefix("scripts/types/") }.sorted())
  }

  @Test func `The generated Lua files are Lua`() throws {
    let vm = try LuaVM(limits: LuaLimits(), libraries: .sandboxed, context: nil)
    for document in Document.all where document.path.hasSuffix(".lua") || document.path == ".luacheckrc" {
      vm.release(try vm.load(document.text, chunkName: "=\(document.path)"))
    }
  }

  @Test func `Every alias that a type names is declared, and so is every class`() throws {
    let text = AnnotationFile.text
    let declared = Set(text.matches(of: /---@(?:class|alias) (\S+)/).map { String($0.output.1) })
    for match in text.matches(of: /moonpeer\.[A-Za-z0-9_.]*[A-Za-z]/) {
      let name = String(match.output)
      let isModule = try ["codec", "json", "log", "node", "network"].contains {
        try name.wholeMatch(of: Regex("moonpeer\\.\($0)")) != nil
      }
      #expect(declared.contains(name) || isModule, "\(name) is used and not declared")
    }
  }
}
