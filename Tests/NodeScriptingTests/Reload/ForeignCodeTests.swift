import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// What somebody types into a node is no fault of the script that is on probation there.
@Suite(.timeLimit(.minutes(2))) struct ForeignCodeTests {
  @Test func `Errors and budget kills of typed code roll nothing back, but are counted`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old")) { $0.configuration = [("script_time", .string("50ms"))] }
      try await node.reload(text: answering("new", "config = { probation = '10m' },"))
      for code in [
        "while true do end", "error 'typo'", "node:spawn(function() error 'late' end)",
        "node:after('1ms', function() node:spawn(function() error 'later' end) end)",
        "coroutine.wrap(function() node:spawn(function() error 'wrapped' end) end)()",
      ] {
        _ = try? await node.evaluateTyped(code, form: "text", budget: nil)
      }
      try await eventually("all errors") { await node.node.heuristics().scriptErrors == 3 }
      let heuristics = await node.node.heuristics()
      #expect(heuristics.budgetKills == 1 && heuristics.rolledBack == 0)
      #expect(await node.generations().map(\.isKept) == [true, false])
      // What the script itself does counts as ever, also in a task of its own that is used again.
      try await node.lua("node.state.bad = true")
      let peer = try await LinePeer(node)
      try await node.reload(
        text: answering(
          "worse", "config = { probation = '10m' }, calls = { fail = function(n) n:spawn(function() error 'own' end) end },"))
      async let worse = node.probation()
      _ = try await node.call("fail")
      guard case .rolledBack(let why) = await worse else {
        Issue.record("it was not rolled back")
        return
      }
      #expect(why.contains("own"))
      // What was on probation before it had not proved itself, so it is not what comes back.
      #expect(try await peer.ask("a") == "a old")
    }
  }
}
