import Foundation
import NodeEngine
import NodeScripting
import NodeSupport
import TestNetwork
import Testing

/// The code in our documentation; see ``Document`` for what is expected of it.
@Suite struct DocumentationTests {
  static let languages: Set = ["lua", "swift", "sh", "json", "text"]
  static let luaBlocks = Document.blocks("lua")

  @Test(arguments: Document.all) func `Every block of code is of a kind that is checked`(document: Document) {
    #expect(document.problem == nil)
    for block in document.blocks {
      #expect(
        Self.languages.contains(block.language),
        "\(block.testDescription): \"\(block.language)\" is not one of \(Self.languages.sorted())")
      #expect(
        block.language != "swift" || block.isExcerpt,
        "\(block.testDescription): name the file under Tests/External that it is from")
    }
  }

  @Test(arguments: Document.all.flatMap(\.blocks).filter(\.isExcerpt))
  func `An excerpt stands in the file it names, word for word`(block: Document.Block) throws {
    let name = try #require(block.fileName)
    #expect(Repository.exists(name), "\(block.testDescription): there is no \(name)")
    let text = "\n" + ((try? Repository.text(name)) ?? "") + "\n"
    #expect(
      !block.rest.isEmpty && text.contains("\n\(block.rest)\n"),
      "\(block.testDescription): this is not in \(name):\n\(block.rest)")
  }

  @Test(.timeLimit(.minutes(5)), arguments: Document.all)
  func `The files that a document has its reader make load and pass`(document: Document) async throws {
    let blocks = document.blocks.filter { $0.language == "lua" && $0.fileName != nil && !$0.isExcerpt }
    guard !blocks.isEmpty else { return }
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    for script in Repository.scripts {
      let name = String(script.dropFirst("scripts/".count))
      try Data(Repository.text(script).utf8).write(to: folder.url.appending(path: name))
    }
    for block in blocks {
      let file = folder.url.appending(path: block.fileName!)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(block.text.utf8).write(to: file)
      let path = file.path(percentEncoded: false)
      if block.text.contains("network.scenario") {
        let results = try await withLoops { try await ScenarioRunner(on: $0).run(path) }
        for result in results {
          guard case .failed(let failure) = result.outcome else { continue }
          Issue.record("\(block.testDescription): \(result.name): \(failure.message)\n\(failure.log.joined(separator: "\n"))")
        }
      } else if block.text.contains("return {") {
        let declaration = try await ScriptedNode.inspect(.file(path), environment: .sockets())
        #expect(declaration.problems == [], "\(block.testDescription)")
      } else {
        // A module, which some script beside it asks for.
        let problem = await Self.problem(compiling: block.text)
        #expect(problem == nil, "\(block.testDescription): \(problem ?? "")")
      }
    }
  }

  @Test(arguments: luaBlocks.filter { $0.fileName == nil })
  func `A fragment of Lua compiles`(block: Document.Block) async throws {
    let names = "node, conn, message, reason, net, args, codec, log, json, network, player, players"
    let forms = [
      "local function fragment(\(names)) \(block.text)\nend return {}",
      "local function fragment(\(names)) return { \(block.text)\n} end return {}",
      "local function fragment(\(names)) return \(block.text)\nend return {}",
    ]
    var first: String?
    for form in forms {
      guard let problem = await Self.problem(compiling: form) else { return }
      first = first ?? problem
    }
    Issue.record("\(block.testDescription): \(first ?? "")")
  }

  @Test(arguments: luaBlocks) func `What a block of Lua calls is in the reference`(block: Document.Block) throws {
    let reference = try Repository.text("docs/lua-reference.md")
    for match in block.text.matches(of: /\b(node|conn|net):(\w+)|\bcodec\.(\w+)/) {
      let call = match.output.3.map { "codec.\($0)" } ?? "\(match.output.1 ?? ""):\(match.output.2 ?? "")"
      let isKnown = reference.contains("`\(call)(")
      #expect(isKnown, "\(block.testDescription): \(call) is not in docs/lua-reference.md")
    }
  }

  @Test(arguments: Document.blocks("json")) func `A block of JSON parses`(block: Document.Block) {
    func parses(_ text: String) -> Bool {
      (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil
    }
    #expect(parses(block.text) || block.text.split(separator: "\n").allSatisfy { parses(String($0)) }, "\(block.testDescription)")
  }

  /// What Lua has against the text, which is not run.
  private static func problem(compiling text: String) async -> String? {
    // In a function that nobody calls, so that not even its top level runs; a chunk may start with anything.
    let source = ScriptSource(name: "fragment", text: "local function never() \(text)\nend return {}")
    do {
      _ = try await ScriptedNode.inspect(source, environment: .sockets())
      return nil
    } catch {
      return "\(error)"
    }
  }
}
