import Foundation
import LuaHost
import NodeEngine
import NodeScripting
import NodeSupport
import TestNetwork
import Testing

@testable import APIReference

/// The examples of the reference are whole scripts and scenarios; each is checked as a reader would.
@Suite struct ReferenceExampleTests {
  private static let examples = ReferenceFile.text.matches(of: /```lua\n([\s\S]*?)```/).map { String($0.output.1) }
  private static let scripts = examples.filter { !$0.hasPrefix("-- scenario.lua") }
  private static let scenarios = examples.filter { $0.hasPrefix("-- scenario.lua") }

  @Test func `Every section has an example`() {
    #expect(Self.examples.count == Document.sections.count + 2)
    #expect(Self.scenarios.count == 1)
  }

  @Test(.timeLimit(.minutes(5)), arguments: scripts)
  func `A script in the reference is free of mistakes`(text: String) async throws {
    let source = ScriptSource(name: "example.lua", text: text)
    let declaration = try await ScriptedNode.inspect(source, environment: .sockets())
    #expect(declaration.problems.isEmpty)
    #expect(!declaration.hooks.isEmpty)
  }

  @Test(.timeLimit(.minutes(5)), arguments: scripts)
  func `A script in the reference starts`(text: String) async throws {
    try await withNode(text, listen: "127.0.0.1:0") { node in
      let address = await node.node.address
      #expect(address != nil)
    }
  }

  @Test(.timeLimit(.minutes(5))) func `The tasks of the reference share the work`() async throws {
    let text = try #require(Self.scripts.first { $0.hasPrefix("-- crew.lua\n") })
    try await withNode(text) { node in
      let done = try await node.evaluate("node.state.done")
      #expect(done == [55])
    }
  }

  /// The example, what a client of it does in Lua, and what comes of that.
  @Test(
    .timeLimit(.minutes(5)),
    arguments: [
      ("-- tally.lua", "c:write('x\\ny\\n') return c:read(4)", "1\n2\n"),
      ("-- greeter.lua", "c:write('HELLO 1\\nhi\\n') return c:read(20)", "HELLO 1\nyou said hi\n"),
      ("-- netstring.lua", "c:write('5:hello,') return c:read(8)", "5:hello,"),
      ("-- shapes.lua", "c:write('\\1\\0\\7\\0\\8\\3') return c:read(6)", "\u{1}\u{0}\u{7}\u{0}\u{8}\u{3}"),
      ("-- careful.lua", "c:write(('x'):rep(2000)) return c:read(17)", "that is too much\n"),
    ])
  func `A script in the reference does what it says`(name: String, client: String, answer: String) async throws {
    let text = try #require(Self.scripts.first { $0.hasPrefix(name + "\n") })
    try await withNode(text, listen: "127.0.0.1:0") { server in
      let code = "local c = assert(node:open((...))) \(client)"
      let address = LuaValue("\(await server.node.address!)")
      let found = try await withNode("return { process_message = function() end }") { try await $0.evaluate(code, [address]) }
      #expect(found.first?.text == answer)
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: scenarios)
  func `A scenario in the reference passes`(text: String) async throws {
    try await withFolder { folder in
      let file = folder.appendingPathComponent("scenario.lua")
      try Data(text.utf8).write(to: file)
      try FileManager.default.copyItem(
        at: repository.appendingPathComponent("scripts/echo.lua"), to: folder.appendingPathComponent("echo.lua"))
      let results = try await withLoops { try await ScenarioRunner(on: $0).run(file.path) }
      for result in results { #expect(result.outcome == .passed) }
      #expect(!results.isEmpty)
    }
  }
}
