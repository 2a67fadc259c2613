import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// Each step of a reload made to fail, and the node watched from outside.
@Suite(.timeLimit(.minutes(1))) struct ReloadFaultTests {
  static let steps: [ReloadStep] = [.load, .handle, .save, .restore, .bind, .timers, .swap]

  @Test(arguments: steps)
  func `A step that fails is not noticed from outside`(step: ReloadStep) async throws {
    try await withNodes { nodes in
      let hooks = """
        on_connect = function(node, conn) node.state.met = (node.state.met or 0) + 1 end,
        on_disconnect = function(node) node.state.left = (node.state.left or 0) + 1 end,
        timers = { tick = { every = "1ms", run = function(node) node.state.ticks = (node.state.ticks or 0) + 1 end } },
        """
      let node = try await nodes.start(answering("old", hooks))
      let peers = [try await LinePeer(node), try await LinePeer(node)]
      for peer in peers { try await peer.sendNumbers(20) }
      let bound = node.generations
      await onLoop(of: node) {
        bound.value.onStep = { met throws(ScriptError) in
          if met == step { throw ScriptError(code: .reload, message: "made to fail at \(step)") }
        }
      }
      for peer in peers { try await peer.sendNumbers(20) }
      let problem = try #require(await failure { try await node.reload(text: answering("new", hooks)) })
      #expect(problem.message == "made to fail at \(step)")
      for peer in peers { try await peer.sendNumbers(20) }
      for peer in peers { #expect(try await peer.expectAnswers() == ["old"]) }
      #expect(try await node.lua("return node.state.count") == 120)
      #expect(try await node.lua("return node.state.met") == 2)
      #expect(try await node.lua("return node.state.left").isNil)
      let ticks = try #require(try await node.lua("return node.state.ticks").int)
      try await eventually("the timer goes on") { try await node.lua("return node.state.ticks").int! > ticks }
      #expect(await node.generations().map { [$0.number, $0.connections] } == [[1, 2]])
      await onLoop(of: node) { bound.value.onStep = nil }
      #expect(try await node.reload(text: answering("new", hooks)).moved == 2)
      for peer in peers { #expect(try await peer.ask("x") == "x new") }
    }
  }

  @Test(arguments: [
    ("return {", "near"), ("return { nonsense = 1 }", "unknown key"), ("error 'at the top'", "at the top"),
    ("return { args = {}, config = { idle_timeout = 'soon' } }", "idle_timeout"), ("return 5", "must return a table"),
    ("local x = require 'missing' return {}", "module \"missing\" was not found"), ("while true do end", "script_time"),
    ("require('moonpeer.node').state.x = 1 return {}", "moonpeer.node is there once the node starts"),
  ])
  func `Code that is not in order is refused, and its fix is taken`(text: String, words: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old", "config = { script_time = '200ms' },")) {
        $0.configuration = [("script_time", .string("200ms"))]
      }
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let problem = try #require(await failure { try await node.reload(text: text) })
      #expect("\(problem)".contains(words), "\(problem)")
      #expect(nodes.log.lines(with: "reload failed, the code in force stays (generation 1)").count == 1)
      #expect(try await peer.ask("b") == "b old")
      try await node.reload(text: answering("fixed"))
      #expect(try await peer.ask("c") == "c fixed")
      #expect(await node.node.heuristics().failedReloads == 1)
    }
  }

  @Test func `Code that failed to take over is freed`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      let peer = try await LinePeer(node)
      _ = try await peer.ask("a")
      let bound = node.generations
      let seen = Seen()
      await onLoop(of: node) {
        bound.value.onStep = { step throws(ScriptError) in
          if step == .swap { throw ScriptError(code: .reload, message: "no") }
        }
        bound.value.onStaged = { seen.hooks = $0 }
      }
      _ = await failure { try await node.reload(text: answering("new")) }
      try await eventually("it is freed") { seen.hooks == nil }
      #expect(seen.wasSet)
    }
  }

  private final class Seen: @unchecked Sendable {
    weak var hooks: ScriptHooks? { didSet { wasSet = wasSet || hooks != nil } }
    var wasSet = false
  }
}
