import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// A crowd of runs that each use up their budget, and whoever shares the thread with them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct TurnTests {
  enum Loop: CaseIterable { case epoll, nio }

  /// Two nodes on one loop: one does what `crowd` says for each message, the other answers.
  private func withNeighbours(
    on loop: Loop, _ crowd: String, _ body: (_ busy: ScriptedNode, _ other: ScriptedNode) async throws -> Void
  ) async throws {
    let epoll = EpollLoops(count: 1)
    // Both nodes on its one loop.
    let environment: NodeEnvironment = loop == .nio ? .sockets(.nio, logger: .quiet) : .sockets(on: epoll, logger: .quiet)
    var nodes: [ScriptedNode] = []
    func start(_ name: String, _ text: String) async throws -> ScriptedNode {
      var options = ScriptOptions()
      options.name = name
      let node = try await ScriptedNode.load(
        ScriptSource(name: "test.lua", text: text), options: options, environment: environment)
      nodes.append(node)
      try await node.start()
      return node
    }
    do {
      let busy = try await start(
        "busy",
        """
        local function forever() while true do end end
        return { codec = require "moonpeer.codec".lines(), config = { script_time = "50ms" },
          calls = { forever = forever },
          process_message = function(node, conn, m) \(crowd) conn:send "done" end }
        """)
      let other = try await start(
        "other",
        """
        return { codec = require "moonpeer.codec".lines(),
          process_message = function(node, conn, m) conn:send(m) end }
        """)
      try await body(busy, other)
    } catch {
      for node in nodes { await node.shutDown() }
      await epoll.shutDown()
      throw error
    }
    for node in nodes { await node.shutDown() }
    await epoll.shutDown()
  }

  private static let crowds = [
    "for i = 1, 60 do node:spawn(forever) end",
    "for i = 1, 60 do node:every(0.001, forever) end",
    "for i = 1, 60 do node:spawn(function() node:sleep(0.001) forever() end) end",
  ]

  @Test(arguments: Loop.allCases, crowds)
  func `They share the loop's turns with the other nodes on it`(loop: Loop, crowd: String) async throws {
    try await withNeighbours(on: loop, crowd) { busy, other in
      let neighbour = try RawClient(try #require(await other.node.address))
      try await neighbour.write("before\n".utf8)
      _ = try await neighbour.read(7)
      let culprit = try RawClient(try #require(await busy.node.address))
      try await culprit.write("go\n".utf8)
      _ = try await culprit.read(5)
      // Each round trip needs a turn of the loop, in which one run may be ended: the crowd would have been through otherwise.
      for round in 0..<3 {
        try await neighbour.write("round \(round)\n".utf8)
        _ = try await neighbour.read(8)
      }
      #expect(await busy.node.heuristics().budgetKills < 50)
    }
  }

  @Test(arguments: Loop.allCases)
  func `The node itself answers in between`(loop: Loop) async throws {
    try await withNeighbours(on: loop, "if m == 'go' then for i = 1, 60 do node:spawn(forever) end end") { busy, _ in
      let culprit = try RawClient(try #require(await busy.node.address))
      try await culprit.write("go\n".utf8)
      _ = try await culprit.read(5)
      try await culprit.write("again\n".utf8)
      _ = try await culprit.read(5)
      #expect(await busy.node.heuristics().budgetKills < 50)
    }
  }

  @Test(arguments: Loop.allCases)
  func `What has not started when the node shuts down does not start`(loop: Loop) async throws {
    try await withNeighbours(on: loop, "for i = 1, 60 do node:spawn(forever) end") { busy, _ in
      let culprit = try RawClient(try #require(await busy.node.address))
      try await culprit.write("go\n".utf8)
      _ = try await culprit.read(5)
      let waiting = Task { try await busy.call("forever") }
      await busy.shutDown()
      #expect(await busy.node.heuristics().budgetKills < 50)
      await #expect(throws: ScriptError.self) { try await waiting.value }
    }
  }

  @Test(arguments: Loop.allCases)
  func `Calls of other scripts wait for their turn, too`(loop: Loop) async throws {
    try await withNeighbours(on: loop, "") { busy, other in
      let neighbour = try RawClient(try #require(await other.node.address))
      let calls = (0..<60).map { _ in Task { try await busy.call("forever") } }
      for round in 0..<3 {
        try await neighbour.write("round \(round)\n".utf8)
        _ = try await neighbour.read(8)
      }
      #expect(await busy.node.heuristics().budgetKills < 50)
      for call in calls { await #expect(throws: ScriptError.self) { try await call.value } }
      #expect(await busy.node.heuristics().budgetKills == 60)
    }
  }

  @Test(arguments: Loop.allCases)
  func `All of a crowd come to their turn, in the order they were started in`(loop: Loop) async throws {
    let crowd = """
      node.state.order = {}
      for i = 1, 40 do
        node:spawn(function()
          if i == 3 then forever() end
          local t = node:now() while node:now() - t < 0.002 do end
          table.insert(node.state.order, i)
          if #node.state.order == 39 then conn:send "over" end
        end)
      end
      """
    try await withNeighbours(on: loop, crowd) { busy, _ in
      let culprit = try RawClient(try #require(await busy.node.address))
      try await culprit.write("go\n".utf8)
      _ = try await culprit.read(10)
      let expected = (1...40).filter { $0 != 3 }.map(String.init).joined(separator: " ")
      #expect(try await busy.lua("return table.concat(node.state.order, ' ')").text == expected)
    }
  }
}
