import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// A reload meets hooks that are in the middle of something.
@Suite(.onEveryBackend, .timeLimit(.minutes(2))) struct ReloadWaitingTests {
  /// Answers "hold" only once `open` was called, everything else at once.
  private func holding(_ voice: String, _ more: String = "") -> String {
    """
    local codec = require "moonpeer.codec"
    local gate = {}
    return {
      codec = codec.lines(),
      process_message = function(node, conn, message)
        if message == "hold" then
          node.state.holds = true
          while not gate.open do node:sleep("1ms") end
          node.state.holds = false
        end
        conn:send(message .. " \(voice)")
      end,
      calls = { open = function() gate.open = true end },
      \(more)
    }
    """
  }

  private func parked(_ node: ScriptedNode) async throws {
    try await eventually("the hook waits") { try await node.lua("return node.state.holds") == true }
  }

  @Test func `A hook that waits ends under its own code, and what comes after it under the new one`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(holding("old"))
      let peer = try await LinePeer(node), other = try await LinePeer(node)
      try await peer.send("hold")
      try await parked(node)
      async let report = node.reload(text: holding("new"))
      try await quiescing(node)
      try await peer.send("after")
      try await other.send("meanwhile")
      _ = try await node.call("open")
      #expect(try await peer.line() == "hold old")
      #expect(try await peer.line() == "after new")
      #expect(try await other.line() == "meanwhile new")
      #expect(try await report.moved == 2)
      #expect(try await node.lua("return node.state.holds") == false)
    }
  }

  @Test func `A hook that does not end in time makes the reload fail, and no message is lost`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(holding("old", "config = { reload_timeout = '1s' },"))
      let peer = try await LinePeer(node), other = try await LinePeer(node)
      try await peer.send("hold")
      try await parked(node)
      async let reload = failure { try await node.reload(text: holding("new")) }
      try await quiescing(node)
      try await other.send("meanwhile")
      let problem = try #require(await reload)
      #expect(problem.code == .reload)
      #expect(problem.kind == "timeout")
      #expect(problem.message.contains("reload_timeout) process_message (peer "), "\(problem)")
      #expect(problem.message.contains("waits in node:sleep"))
      #expect(try await other.line() == "meanwhile old")
      try await peer.send("after")
      _ = try await node.call("open")
      #expect(try await peer.line() == "hold old")
      #expect(try await peer.line() == "after old")
      #expect(try await node.reload(text: holding("new")).moved == 2)
      #expect(try await peer.ask("x") == "x new")
    }
  }

  @Test func `A request inside a hook gets its reply while the reload waits`() async throws {
    try await withNodes { nodes in
      func text(_ voice: String) -> String {
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(), process_message = function(node, conn, message)
          if message == "ask" then
            node.state.holds = true
            local reply = conn:request("what?", { match = function(m) return m:find "^this" end })
            conn:send(reply .. " \(voice)")
          else
            conn:send(message .. " \(voice)")
          end
        end }
        """
      }
      let node = try await nodes.start(text("old"))
      let peer = try await LinePeer(node)
      #expect(try await peer.ask("ask") == "what?")
      async let report = node.reload(text: text("new"))
      try await quiescing(node)
      // "between" is decoded by the old code's request, so the old code handles it.
      try await peer.send("between\nthis")
      #expect(try await peer.line() == "this old")
      #expect(try await peer.line() == "between old")
      #expect(try await report.moved == 1)
      #expect(try await peer.ask("later") == "later new")
    }
  }

  @Test func `A request of a task ends with it; the messages it passed by are not lost`() async throws {
    try await withNodes { nodes in
      let more = """
        calls = { begin = function(node)
          node:spawn(function() node:connections()[1]:request("what?", { match = function() return false end }) end)
        end },
        """
      let node = try await nodes.start(answering("old", more))
      let peer = try await LinePeer(node)
      try await eventually("it is there") { await node.node.counts.connected == 1 }
      _ = try await node.call("begin")
      #expect(try await peer.line() == "what?")
      #expect(try await peer.ask("a") == "a old")
      try await node.reload(text: answering("new"))
      #expect(try await peer.ask("b") == "b new")
      #expect(await node.node.heuristics().scriptErrors == 0)
    }
  }

  @Test func `Messages kept for a receive of nobody yet move with the connection`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(settingAside)
      let peer = try await peerWithMessagesSetAside(node)
      try await node.reload(text: settingAside)
      #expect(try await node.call("take").first == "first")
      #expect(try await node.call("take").first == "second")
      try await peer.send("third")
      #expect(try await node.call("take").first == "third")
    }
  }

  @Test func `A call under way is waited for`() async throws {
    try await withNodes { nodes in
      func text(_ voice: String) -> String {
        """
        return { calls = { slow = function(node)
          node.state.holds = true
          while not node.state.open do node:sleep(0.001) end
          return "\(voice)"
        end, open = function(node) node.state.open = true end } }
        """
      }
      let node = try await nodes.start(text("old"))
      async let slow = node.call("slow")
      try await parked(node)
      async let report = node.reload(text: text("new"))
      try await quiescing(node)
      _ = try await node.call("open")
      #expect(try await slow == ["old"])
      #expect(try await report.generation == 2)
      #expect(try await node.call("slow") == ["new"])
    }
  }

  @Test func `With the policy drop, what the queue holds is handled, by the old code or by the new`() async throws {
    try await withNodes { nodes in
      let more = "config = { inbound_policy = 'drop', inbound_queue = 64 },"
      let node = try await nodes.start(holding("old", more).replacing("codec.lines()", with: customLines))
      let peer = try await LinePeer(node), other = try await LinePeer(node)
      _ = try await other.ask("a")
      try await peer.send("hold")
      try await parked(node)
      async let report = node.reload(text: holding("new", more).replacing("codec.lines()", with: customLines))
      try await quiescing(node)
      try await other.sendNumbers(40)
      try await eventually("they are decoded") { await node.node.statistics().messagesReceived == 42 }
      _ = try await node.call("open")
      #expect(try await peer.line() == "hold old")
      try await other.expectAnswers()
      #expect(try await report.moved == 2)
      #expect(try await other.ask("b") == "b new")
      #expect(await node.node.heuristics().droppedMessages == 0)
    }
  }

  @Test func `A node that is shutting down refuses, whether it was asked before or after`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(holding("old"))
      let peer = try await LinePeer(node)
      try await peer.send("hold")
      try await parked(node)
      async let reload = failure { try await node.reload(text: holding("new")) }
      async let second = failure { try await node.reload(text: holding("newer")) }
      try await quiescing(node)
      await node.shutDown()
      #expect(await reload?.kind == "shutdown")
      #expect(await second?.kind == "shutdown")
      #expect(await failure { try await node.reload(text: holding("late")) }?.kind == "shutdown")
    }
  }

  @Test func `A node that has not started refuses`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.load("return {}")
      #expect(await failure { try await node.reload(text: "return {}") }?.message.contains("has not started yet") == true)
      try await node.start()
      #expect(try await node.reload(text: "return {}").generation == 2)
    }
  }

  /// Waits until the reload waits for hooks to end.
  private func quiescing(_ node: ScriptedNode) async throws {
    let generations = node.generations
    try await eventually("the reload waits") { await onLoop(of: node) { generations.value.current.isHolding } }
  }
}

struct Weak<Object: AnyObject>: @unchecked Sendable {
  weak var object: Object?
  init(_ object: Object) { self.object = object }
  var isGone: Bool { object == nil }
}
