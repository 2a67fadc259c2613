import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// The time after a reload: new code that fails is rolled back by itself.
@Suite(.onEveryBackend, .timeLimit(.minutes(2))) struct ProbationTests {
  @Test func `A bad version is rolled back: the old code answers, with the state of now`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old", "version = 1,"))
      let good = try await LinePeer(node), bad = try await LinePeer(node)
      _ = try await good.ask("a")
      _ = try await bad.ask("a")
      let broken = answering("new", "version = 2, calls = { nothing = function() end },").replacing(
        "conn:send(", with: "if message == 'break' then error 'broken' end conn:send(")
      try await node.reload(text: broken)
      #expect(try await good.ask("b") == "b new")
      #expect(await node.generations().map(\.isKept) == [true, false])
      async let outcome = node.probation()
      try await bad.send("break")
      guard case .rolledBack(let why) = await outcome else {
        Issue.record("it was not rolled back")
        return
      }
      #expect(why.contains("broken"))
      // The connection that met the error is gone, as with any error of a script; the others live on.
      #expect(try await bad.client.readToEnd().isEmpty)
      #expect(try await good.ask("c") == "c old")
      #expect(try await node.lua("return node.state.count") == 5)
      #expect(try await node.lua("return node:connections()[1].state.count") == 3)
      #expect(node.declaration.version == 1)
      let heuristics = await node.node.heuristics()
      #expect([heuristics.reloads, heuristics.failedReloads, heuristics.rolledBack, heuristics.scriptErrors] == [1, 0, 1, 1])
      #expect(await node.generations().map { [$0.number, $0.connections] } == [[1, 1]])
      #expect(nodes.log.lines(with: "the code of generation 2 is rolled back").count == 1)
      #expect(try await node.reload(text: answering("newer")).generation == 3)
      #expect(try await good.ask("d") == "d newer")
    }
  }

  @Test func `Messages of other connections are neither lost nor doubled over a rollback`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      var peers: [LinePeer] = []
      for _ in 0..<4 { peers.append(try await LinePeer(node)) }
      let bad = try await LinePeer(node)
      _ = try await bad.ask("a")
      for peer in peers { try await peer.sendNumbers(10) }
      try await node.reload(
        text: answering("new", "config = { probation_hooks = 100000 },").replacing(
          "conn:send(", with: "if message == 'break' then error 'broken' end conn:send("))
      for peer in peers { try await peer.sendNumbers(200) }
      async let outcome = node.probation()
      try await bad.send("break")
      for peer in peers { try await peer.sendNumbers(200) }
      if case .rolledBack = await outcome {} else { Issue.record("it was not rolled back") }
      for peer in peers { try await peer.sendNumbers(10) }
      for peer in peers {
        try await peer.expectAnswers()
        #expect(try await peer.ask("x") == "x old")
      }
      #expect(try await node.lua("return node.state.count") == .integer(2 + 4 * 421))
    }
  }

  @Test func `Where the state cannot come back, the old code has its own, and new connections are its too`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.reload(text: answering("new"))
      let late = try await LinePeer(node), bad = try await LinePeer(node)
      _ = try await peer.ask("b")
      _ = try await late.ask("b")
      _ = try await bad.ask("b")
      try await node.lua("node.state.stuck = print")
      async let outcome = node.probation()
      try await node.lua("do node:spawn(function() error 'a task fails' end) end")
      if case .rolledBack = await outcome {} else { Issue.record("it was not rolled back") }
      #expect(try await node.lua("return node.state.count") == 1)
      #expect(try await peer.ask("c") == "c old")
      #expect(try await late.ask("c") == "c old")
      #expect(try await node.lua("return node.state.count") == 3)
      #expect(nodes.log.lines(with: "state.stuck is a function").count == 1)
    }
  }

  @Test func `A hook that never ends does not hold the rollback up for ever, and its connection stays`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old", "config = { reload_timeout = '50ms' },"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let stuck = answering("new", "config = { reload_timeout = '50ms' },").replacing(
        "conn:send(", with: "if message == 'stick' then node.state.sticks = true node:sleep '1h' end conn:send(")
      try await node.reload(text: stuck)
      try await peer.send("stick\nnext")
      try await eventually("it sticks") { try await node.lua("return node.state.sticks") == true }
      async let outcome = node.probation()
      try await node.lua("do node:spawn(function() error 'a task fails' end) end")
      if case .rolledBack = await outcome {} else { Issue.record("it was not rolled back") }
      #expect(try await peer.line() == "next old")
      #expect(await node.node.heuristics().scriptErrors == 1)
    }
  }

  @Test func `A codec that cannot read what the peers send is rolled back`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node), other = try await LinePeer(node)
      _ = try await peer.ask("a")
      _ = try await other.ask("a")
      try await node.reload(
        text: answering("new").replacing(
          "codec.lines()", with: "codec.map(codec.lines(), { decode = function(m) codec.invalid(m) end })"))
      async let outcome = node.probation()
      try await peer.send("b")
      guard case .rolledBack(let why) = await outcome else {
        Issue.record("it was not rolled back")
        return
      }
      #expect(why.contains("a connection that was fine before ended with decode"))
      #expect(try await other.ask("c") == "c old")
    }
  }

  @Test func `After enough hooks, or in its time, the new code is trusted and the old one freed`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let old = Weak(node.hooks.value.runtime)
      try await node.reload(text: answering("new", "config = { probation_hooks = 3, probation = '1h' },"))
      async let outcome = node.probation()
      for message in ["b", "c", "d"] { _ = try await peer.ask(message) }
      #expect(await outcome == .passed)
      try await eventually("the old code is gone") { old.isGone }
      let second = Weak(node.hooks.value.runtime)
      try await node.reload(text: answering("new", "config = { probation_hooks = 1000, probation = '20ms' },"))
      #expect(await node.probation() == .passed)
      try await eventually("the second is gone") { second.isGone }
      try await peer.send("x")
      #expect(await node.node.heuristics().rolledBack == 0)
    }
  }

  @Test func `Failures that are allowed roll nothing back, and a reload begins to count anew`() async throws {
    try await withNodes { nodes in
      let fail = "do node:spawn(function() error 'a task fails' end) end"
      let more = "config = { probation_failures = 1, probation = '1h' },"
      let node = try await nodes.start(answering("one"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      try await node.reload(text: answering("two", more))
      try await node.lua(fail)
      try await eventually("it is counted") { await node.node.heuristics().scriptErrors == 1 }
      #expect(try await peer.ask("b") == "b two")
      try await node.reload(text: answering("three", more))
      try await node.lua(fail)
      #expect(try await peer.ask("c") == "c three")
      async let outcome = node.probation()
      try await node.lua(fail)
      if case .rolledBack = await outcome {} else { Issue.record("it was not rolled back") }
      #expect(try await peer.ask("d") == "d one")
    }
  }

  @Test func `A node that stops meanwhile says so, and lets go of the old code`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let old = Weak(node.hooks.value.runtime)
      try await node.reload(text: answering("new"))
      async let outcome = node.probation()
      try await eventually("it is waited for") { await node.generations().count == 2 }
      await node.shutDown()
      #expect(await outcome == .stopped)
      try await eventually("the old code is gone") { old.isGone }
    }
  }
}
