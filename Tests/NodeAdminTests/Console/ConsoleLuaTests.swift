import LuaHost
import NodeAdmin
import NodeCore
import NodeEngine
import NodeScripting
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Lua typed in the console` {
  static let script = """
    return {
      config = { script_time = "300ms", script_memory = "16MiB" },
      init = function(node) node.state.users = { ada = { age = 36 }, tags = { "a", "b" } } end,
      calls = { alive = function() return true end },
    }
    """

  private func value(_ code: String, _ console: TestConsole) async throws -> String {
    let answer = try await console.ask(code)
    return answer["result"]?["values"]?.list.compactMap(\.text).joined(separator: " | ") ?? answer.line
  }

  @Test func `values are shown readably, and bounded`() async throws {
    try await TestConsole.with([("one", Self.script)]) { console in
      #expect(try await value("1, 2.5, nil, true", console) == "1 | 2.5 | nil | true")
      #expect(try await value("node.state.users", console) == "{ ada = { age = 36 }, tags = { \"a\", \"b\" } }")
      #expect(try await value("'a\\n\\27\\255'", console) == "\"a\\n\\x1b\\xff\"")
      #expect(try await value("node", console) == "node one")
      #expect(try await value("local t = {} t.t = t return t", console).contains("the table around it"))
      #expect(try await value("local t = {} for i = 1, 1e5 do t[i] = i end return t", console).contains("more)"))
      #expect(try await value("('x'):rep(1e6)", console).utf8.count < 2000)
      #expect(try await value("local t = {} for i = 1, 60 do t[i] = ('x'):rep(1e4) end return t", console).utf8.count < 70_000)
      #expect(
        try await value("setmetatable({}, { __tostring = function() error('no') end })", console).contains("__tostring fails"))
      #expect(try await value("x = 5", console) == "")
      #expect(try await value("x", console) == "5")
      let deep = try await value("local t = {} local top = t for i = 1, 100 do t.t = {} t = t.t end return top", console)
      #expect(deep.contains("{…}") && deep.utf8.count < 1000)
    }
  }

  @Test func `for programs values come as data`() async throws {
    try await TestConsole.with([("one", Self.script)]) { console in
      let answer = try await console.ask(["lua": "node.state.users, print, { 1, 2 }, nil, 0/0", "form": "data"])
      let values = answer["result"]?["values"]?.list ?? []
      #expect(values.count == 5, "\(answer.line)")
      #expect(values.first == ["ada": ["age": 36], "tags": ["a", "b"]])
      #expect(values[1].text?.hasPrefix("function") == true)
      #expect(values[2] == [1, 2])
      #expect(values[3] == .null)
    }
  }

  @Test func `errors come with their kind and traceback`() async throws {
    try await TestConsole.with([("one", Self.script)]) { console in
      let raised = try await console.ask("local function f() error('oh no') end f()")["error"]
      #expect(raised?["message"]?.text?.contains("oh no") == true)
      #expect(raised?["traceback"]?.text?.contains("stack traceback") == true)
      #expect(try await console.ask("for i = 1, 3 do")["error"]?["kind"] == "syntax")
      for code in ["for i = 1, 3 do", "x = {", "print(", "1 +", "f(a,", "if x", "function f()", "y = [[ab", "{ 1,\n2,"] {
        let message = try await console.ask(code)["error"]?["message"]?.text
        #expect(message?.hasSuffix("near <eof>") == true, "\(code): \(message ?? "")")
      }
      for code in ["end", "x = = 1", "1 2", "if x thn", ") + (", "'abc"] {
        let error = try await console.ask("=" + code)["error"]
        #expect(
          error?["kind"] == "syntax" && error?["message"]?.text?.hasSuffix("<eof>") == false, "\(code): \(error?.line ?? "")")
        // Nothing of what stands around it.
        #expect(error?["message"]?.text?.hasPrefix("(code):1: ") == true, "\(error?.line ?? "")")
      }
      #expect(try await console.ask("error({ kind = 'mine', message = 'own' })")["error"]?["kind"] == "mine")
    }
  }

  @Test func `an endless loop and a memory hog end under the script's limits, and the node goes on`() async throws {
    try await TestConsole.with([("one", Self.script)]) { console in
      let client = try await console.client()
      #expect(try await client.ask(["line": "while true do end"])["error"]?["kind"] == "budget")
      #expect(try await client.ask(["line": "while true do pcall(error) end"])["error"]?["kind"] == "budget")
      #expect(
        try await client.ask(["line": "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"])["error"]?["kind"]
          == "budget")
      #expect(try await console.nodes[0].call("alive") == [true])
      #expect(await console.nodes[0].node.heuristics().budgetKills == 3)
    }
  }

  @Test func `what waits is cancelled by the client, by the budget, and by the client's end`() async throws {
    try await TestConsole.with([("one", Self.script)]) { console in
      let client = try await console.client()
      let waiting = client.send(["line": "node:sleep('1h')"])
      // Two clients at once.
      #expect(try await console.ask("1 + 1")["result"]?["values"] == ["2"])
      _ = client.send(["cancel": .integer(waiting)])
      #expect(try await client.answer(to: waiting)["error"]?["kind"] == "cancelled")
      #expect(try await client.ask(["line": "node:sleep('1h')", "budget": .number(0.05)])["error"]?["kind"] == "timeout")
      var second: TestClient? = try await console.client()
      _ = second?.send(["line": "node:sleep('1h')"])
      try await eventually("the wait") { await console.nodes[0].waitingTasks().count == 1 }
      second = nil
      try await eventually("its end") { await console.nodes[0].waitingTasks().isEmpty }
    }
  }

  @Test func `a node that stops ends what waits in it`() async throws {
    try await TestConsole.with([("one", Self.script)]) { console in
      let client = try await console.client()
      let waiting = client.send(["line": "node:sleep('1h')"])
      try await eventually("the wait") { await console.nodes[0].waitingTasks().count == 1 }
      await console.nodes[0].shutDown()
      #expect(try await client.answer(to: waiting)["ok"] == false)
      #expect(try await client.ask(["line": "1"])["error"]?["kind"] == "shutdown")
      #expect(try await client.ask(["line": "connections"])["ok"] == true)
      // And the host itself.
      await console.server.close()
      #expect(try await client.next() == nil)
    }
  }
}
