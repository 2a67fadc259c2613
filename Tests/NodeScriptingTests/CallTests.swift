import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Calls: what another script, a scenario or Swift may ask of a node.
@Suite(.timeLimit(.minutes(5))) struct CallTests {
  private let adder = """
    return { calls = {
      add = function(node, a, b) return a + b end,
      echo = function(node, ...) return ... end,
      slow = function(node) node:sleep("1h") end,
      fail = function() error "it went wrong" end,
      refuse = function() error { kind = "refused_by_rule", message = "not you", rule = 7 } end,
      handle = function(node) return node end,
      forever = function() while true do end end,
    } }
    """

  @Test func `A script calls another, plain data in and out`() async throws {
    try await withNodes { nodes in
      _ = try await nodes.start(adder, name: "adder")
      let caller = try await nodes.start("return {}")
      #expect(try await caller.lua("return node:call('adder', 'add', 2, 3)") == 5)
      let values: [LuaValue] = ["text", true, 2.5, ["list", "of"], ["k": ["deep": 1]], .nil, 7]
      #expect(try await caller.evaluate("return node:call('adder', 'echo', ...)", values) == values)
    }
  }

  @Test func `An error is raised at the caller with the callee's place`() async throws {
    try await withNodes { nodes in
      _ = try await nodes.start(adder, name: "adder", file: "adder.lua")
      let caller = try await nodes.start("return {}")
      let text = try await caller.lua("local _, e = pcall(node.call, node, 'adder', 'fail') return tostring(e)")
      #expect(text.text?.contains("adder.lua:5: it went wrong") == true, "\(text)")
      let fields = try await caller.lua(
        "local _, e = pcall(node.call, node, 'adder', 'refuse') return { e.kind, e.message, e.rule }")
      #expect(fields == ["refused_by_rule", "not you", 7])
      #expect(try await caller.lua("return node:heuristics().script_errors") == 0)
    }
  }

  @Test func `An uncaught one names the place of the call and of the error`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(adder, name: "adder", file: "adder.lua")
      let error = await failure { _ = try await node.call("fail") }
      #expect(error?.code == .script)
      #expect(error?.location == "adder.lua:5")
      #expect(error?.hook == "call fail")
      #expect(error?.message == "it went wrong")
      #expect(error?.traceback?.contains("adder.lua:5") == true)
    }
  }

  @Test(arguments: [
    ("node:call('ader', 'add')", "no node named \"ader\" in this process; did you mean \"adder\"?"),
    ("node:call('adder', 'ad', 1, 2)", "adder has no call \"ad\"; did you mean \"add\"?"),
    ("node:call('silent', 'x')", "silent has no call \"x\"; it declares none (key calls)"),
    ("node:call('adder', 'echo', print)", "argument 1 cannot be handed over: the value is a function, not plain data"),
    ("node:call('adder', 'echo', 1, { a = { node } })", "argument 2 cannot be handed over: a[1] is a node, not plain data"),
    ("node:call('adder', 'handle')", "result 1: the value is a node, not plain data"),
    ("node:call('adder', 'add', 1)", "attempt to perform arithmetic on a nil value (local 'b')"),
    ("node:call('adder', 'forever')", "ran longer than script_time"),
    ("node:call(5, 'x')", "node:call: the target must be a string, got integer 5"),
    ("node:call('adder')", "node:call: the call's name must be a string, got nothing"),
  ])
  func `A mistake in a call says what and where`(code: String, words: String) async throws {
    try await withNodes { nodes in
      _ = try await nodes.start(adder, name: "adder") { $0.configuration = [("script_time", .string("300ms"))] }
      _ = try await nodes.start("return {}", name: "silent")
      let caller = try await nodes.start("return {}")
      let error = await failure { try await caller.lua("local x = \(code)") }
      #expect(error?.message.contains(words) == true, "\(error?.description ?? "no error")")
      #expect(error?.location != nil)
      #expect(try await caller.lua("return node:call('adder', 'add', 1, 1)") == 2)
    }
  }

  @Test func `A node may call itself`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(adder, name: "adder")
      #expect(try await node.lua("return node:call(node.name, 'add', 20, 22)") == 42)
    }
  }

  @Test func `A call that waits ends when its node shuts down`() async throws {
    try await withNodes { nodes in
      let callee = try await nodes.start(adder, name: "adder")
      let caller = try await nodes.start("return {}")
      async let outcome = caller.lua("local _, e = pcall(node.call, node, 'adder', 'slow') return e.kind")
      await callee.shutDown()
      let kind = try await outcome
      // The call may come before the shutdown or after it.
      #expect(kind == "shutdown" || kind == "unknown")
      let late = await failure { _ = try await callee.call("add", [1, 2]) }
      #expect(late?.kind == "shutdown")
    }
  }

  @Test func `A caller that shuts down does not wait for its call`() async throws {
    try await withNodes { nodes in
      _ = try await nodes.start(adder, name: "adder")
      let caller = try await nodes.start("return { calls = { ask = function(node) return node:call('adder', 'slow') end } }")
      async let outcome = failure { _ = try await caller.call("ask") }
      await caller.shutDown()
      #expect(await outcome?.kind == "shutdown")
    }
  }

  @Test func `A name is free again when its node has ended itself`() async throws {
    try await withNodes { nodes in
      let first = try await nodes.start(adder, name: "anna")
      let taken = await failure { _ = try await nodes.load("return {}", name: "anna") }
      #expect(taken?.code == .configuration)
      #expect(taken?.message == "a node named \"anna\" runs already; give this one another name")
      try await first.lua("node:shut_down()")
      try await eventually("the name is free") { nodes.directory.names.isEmpty }
      let second = try await nodes.start("return { calls = { who = function() return 'second' end } }", name: "anna")
      #expect(try await second.lua("return node:call('anna', 'who')") == "second")
    }
  }
}
