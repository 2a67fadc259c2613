import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// New code for many nodes, one after the other.
@Suite(.timeLimit(.minutes(1))) struct RollingReloadTests {
  @Test(arguments: [(0.0, 10, 0), (0.1, 10, 1), (0.1, 11, 2), (0.01, 3, 1), (1, 5, 5), (0.5, 0, 0)])
  func `The canaries are the share, rounded up`(share: Double, nodes: Int, canaries: Int) {
    #expect(RollingReload(canary: share).canaries(of: nodes) == canaries)
  }

  private func fleet(_ nodes: TestNodes, _ count: Int) async throws -> [ScriptedNode] {
    var fleet: [ScriptedNode] = []
    for index in 1...count { fleet.append(try await nodes.start(answering("old"), name: "n\(index)")) }
    return fleet
  }

  @Test func `All get it where nothing fails`() async throws {
    try await withNodes { nodes in
      let fleet = try await fleet(nodes, 4)
      await fleet[2].shutDown()
      let source = ScriptSource(name: "test.lua", text: answering("new", "config = { probation = '10ms' },"))
      let outcome = await RollingReload(canary: 0.5).run(fleet, source)
      #expect(outcome == RollingReload.Outcome(reloaded: ["n1", "n2", "n4"]))
    }
  }

  @Test func `It goes no further than the first that fails`() async throws {
    try await withNodes { nodes in
      let fleet = try await fleet(nodes, 3)
      try await fleet[1].lua("node.state.stuck = print")
      let outcome = await RollingReload().run(fleet, ScriptSource(name: "test.lua", text: answering("new")))
      #expect(outcome.reloaded == ["n1"])
      #expect(outcome.untouched == ["n3"])
      #expect(outcome.problem?.contains("n2: ") == true)
      #expect(outcome.problem?.contains("state.stuck is a function") == true)
    }
  }

  @Test func `Nor than a canary that is rolled back`() async throws {
    try await withNodes { nodes in
      let fleet = try await fleet(nodes, 4)
      let bad = answering(
        "new",
        """
        restore = function(state)
          local node = require "moonpeer.node"
          node:spawn(function() error "bad version" end)
          return state
        end,
        """)
      let outcome = await RollingReload(canary: 0.25).run(fleet, ScriptSource(name: "test.lua", text: bad))
      #expect(outcome.reloaded.isEmpty)
      #expect(outcome.untouched == ["n2", "n3", "n4"])
      #expect(outcome.problem?.contains("n1 was rolled back: ") == true)
      #expect(await fleet[0].generations().map(\.number) == [1])
      #expect(await fleet[1].node.heuristics().reloads == 0)
    }
  }
}
