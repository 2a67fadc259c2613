import Foundation
import NodeCore
import NodeEngine
import NodeScripting
import Testing

@testable import APIReference

/// Closed sets of words: each is what the code has.
@Suite struct DeclaredWordsTests {
  /// Every kind that is raised anywhere is written out at its raise, so the sources tell.
  @Test func `The error kinds are those the sources raise`() throws {
    var found: Set<String> = ["script"]
    for url in files(in: "Sources", ending: ".swift") + files(in: "Sources", ending: ".lua") {
      guard !url.path.contains("/API/"), !url.path.contains("/APIReference/") else { continue }
      let text = try String(contentsOf: url, encoding: .utf8)
      for match in text.matches(of: /(?:raise\(|new_error\(|\bkind: )"([a-z_]+)"/) {
        found.insert(String(match.output.1))
      }
      guard url.lastPathComponent == "NodeError.swift" else { continue }
      for match in text.matches(of: /Code\(rawValue: "([a-z_]+)"\)/) { found.insert(String(match.output.1)) }
    }
    #expect(LuaAPI.errorKinds.map(\.name) == found.sorted())
  }

  @Test func `The reasons and counters are those of the core`() {
    #expect(LuaAPI.reasonKinds.map(\.name) == DisconnectReason.Kind.allCases.map(\.rawValue))
    #expect(LuaAPI.heuristics.fields.map(\.name) == Heuristics.names)
  }

  @Test(.timeLimit(.minutes(5))) func `A script sees every configuration key that is set, and takes them all`() async throws {
    let set = NodeConfiguration.keys.filter { $0.value(of: NodeConfiguration()) != nil }.map(\.name)
    let code = "local names = {} for name in pairs(node.config) do names[#names + 1] = name end return names"
    let found = try await withNode("return { process_message = function() end }") { try await $0.evaluate(code).first?.texts }
    #expect(found == set.sorted())
    // A wrong value is a mistake about that key, so the key is known.
    for key in NodeConfiguration.keys {
      let source = ScriptSource(name: "test.lua", text: "return { config = { \(key.name) = {} }, session = print }")
      let problems = try await ScriptedNode.inspect(source, environment: .sockets()).problems.map(\.message)
      #expect(key.kind == .addresses || problems.first?.hasPrefix("config: \(key.name): ") == true, "\(key.name): \(problems)")
    }
  }

  @Test(.timeLimit(.minutes(5))) func `The sandbox has the globals that are declared`() async throws {
    let code = """
      local names = {}
      for name, value in pairs(_G) do
        names[#names + 1] = name
        if type(value) == "table" and name ~= "_G" then
          for member in pairs(value) do names[#names + 1] = name .. "." .. member end
        end
      end
      table.sort(names)
      return names
      """
    let found = try await withNode("return { process_message = function() end }") {
      try await $0.evaluate(code).first?.texts ?? []
    }
    let members = LuaAPI.libraries.flatMap { library in [library.name] + library.members.map { "\(library.name).\($0)" }
    }
    // What Debian's Lua keeps from before 5.3 is no part of the API: a script that uses it runs there only.
    let old = ["atan2", "cosh", "frexp", "ldexp", "log10", "pow", "sinh", "tanh"].map { "math.\($0)" }
    #expect(found.filter { !old.contains($0) } == (LuaAPI.globals + members).sorted())
  }

  @Test(.timeLimit(.minutes(5))) func `The script table takes the keys that are declared`() async throws {
    let text = """
      return { zzzzzz = 1, args = { a = { help = "", zzzzzz = 1 }, b = { type = "zzzzzz" } },
        timers = { tick = { every = 1, run = print, zzzzzz = 1 } } }
      """
    let declaration = try await ScriptedNode.inspect(
      ScriptSource(name: "test.lua", text: text), environment: .sockets())
    let problems = declaration.problems.map(\.message)
    func names(_ key: String, after marker: String) throws -> [String] {
      try #require(problems.first { $0.hasPrefix(key) && $0.contains(marker) }, "\(problems)").list(after: marker)
    }
    #expect(try names("zzzzzz", after: "the keys are ").sorted() == LuaAPI.scriptKeys.map(\.name).sorted())
    #expect(try names("timers.tick", after: "known: ").sorted() == LuaAPI.timerEntry.fields.map(\.name).sorted())
    #expect(try names("args.a", after: "known: ").sorted() == LuaAPI.argumentEntry.fields.map(\.name).sorted())
    #expect(try names("args.b", after: "known: ") == LuaAPI.argumentTypes)
  }

  @Test(.timeLimit(.minutes(5))) func `The hooks are those that are declared`() async throws {
    let hooks = LuaAPI.scriptKeys.compactMap { key -> String? in
      guard case .hook = key.kind else { return nil }
      return key.name
    }
    let text = "return { " + hooks.map { "\($0) = function() end" }.joined(separator: ", ") + " }"
    let declaration = try await ScriptedNode.inspect(
      ScriptSource(name: "test.lua", text: text), environment: .sockets())
    #expect(declaration.hooks == hooks)
    #expect(declaration.problems.count == 1, "session and process_message exclude each other")
  }
}
