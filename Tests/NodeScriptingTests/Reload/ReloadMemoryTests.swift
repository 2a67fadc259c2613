import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// What reloads leave behind: nothing. The long form is `moonpeer-bench --case reload-memory`.
@Suite(.timeLimit(.minutes(3))) struct ReloadMemoryTests {
  /// Every generation there ever was, and what Lua had in use once it was collected.
  private final class Census: @unchecked Sendable {
    // Used on the node's loop.
    var runtimes: [Weak<ScriptRuntime>] = []
    var machines: [Weak<LuaVM>] = []
    var alive: Int { machines.count { !$0.isGone } }

    func note(_ hooks: ScriptHooks) {
      runtimes.append(Weak(hooks.runtime))
      machines.append(Weak(hooks.runtime.vm))
    }
  }

  private func census(of node: ScriptedNode) async -> Census {
    let census = Census()
    let bound = node.generations
    await onLoop(of: node) {
      census.note(bound.value.current)
      bound.value.onStaged = { census.note($0) }
    }
    return census
  }

  private func memory(of node: ScriptedNode) async -> Int {
    let bound = node.generations
    return await onLoop(of: node) {
      bound.value.current.runtime.trim()
      return bound.value.current.runtime.vm.memoryUsed
    }
  }

  /// Without the chunks that any look-up of the script's may load again: whether one has is a matter of when it is asked.
  private func settledMemory(of node: ScriptedNode) async -> Int {
    let bound = node.generations
    return await onLoop(of: node) {
      let runtime = bound.value.current.runtime
      runtime.forgetPassingChunks()
      runtime.trim()
      return runtime.vm.memoryUsed
    }
  }

  private static let failingTask =
    "restore = function(data) require('moonpeer.node'):spawn(function() error 'no' end) return data end,"

  @Test func `Code is freed and memory stays flat, whatever becomes of hundreds of reloads`() async throws {
    try await withNodes { nodes in
      // Which code has ticked: only then it has loaded what a tick needs.
      var ticking = 0
      func text(_ more: String = "") -> String {
        ticking += 1
        return answering(
          "x",
          """
          timers = { tick = { every = "1ms", run = function(node)
            node:metric("ticks_total", { kind = "counter" }):add()
            node.state.ticked = \(ticking)
          end } },
          config = { probation_hooks = 1000000 },
          \(more)
          """)
      }
      let node = try await nodes.start(text())
      let census = await census(of: node)
      let peers = [try await LinePeer(node), try await LinePeer(node)]
      var sizes: [Int] = []
      for round in 1...300 {
        switch round % 10 {
        case 3: #expect(await failure { try await node.reload(text: "return {") } != nil)
        case 5:
          #expect(await failure { try await node.reload(text: text("restore = function() error 'no' end,")) } != nil)
        case 7:
          try await node.reload(text: text(Self.failingTask))
          if case .rolledBack = await node.probation() {} else { Issue.record("it was not rolled back") }
        default: try await node.reload(text: text())
        }
        #expect(try await peers[round % 2].ask("a") == "a x")
        guard round.isMultiple(of: 30) else { continue }
        try await eventually("it has ticked") { try await node.lua("return node.state.ticked") == .integer(Int64(ticking)) }
        sizes.append(await settledMemory(of: node))
      }
      // Less than a table for each reload; by the second time everything is loaded that will be.
      #expect(sizes.max()! < sizes[1] + 6000, "\(sizes)")
      // The one in force and the one before it, which may come back.
      try await eventually("the others are gone") { await onLoop(of: node) { census.alive } == 2 }
      #expect(await onLoop(of: node) { census.machines.count } == 301 - 30)
      #expect(await node.snapshot().node.own.count == 1)
      await node.shutDown()
      try await eventually("all are gone") { await onLoop(of: node) { census.alive } <= 1 }
    }
  }

  @Test func `Code that comes back again and again keeps nothing of the connections that came and went meanwhile`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(answering("old"))
      var sizes: [Int] = []
      for _ in 1...60 {
        let leaving = try await LinePeer(node), staying = try await LinePeer(node)
        _ = try await leaving.ask("a")
        _ = try await staying.ask("a")
        try await node.reload(text: answering("new"))
        #expect(try await leaving.ask("b") == "b new")
        leaving.client.close()
        try await eventually("it is gone") { await node.node.counts.connected == 1 }
        async let outcome = node.probation()
        try await node.lua("do node:spawn(function() error 'a task fails' end) end")
        if case .rolledBack = await outcome {} else { Issue.record("it was not rolled back") }
        #expect(try await staying.ask("c") == "c old")
        staying.client.close()
        try await eventually("it is gone too") { await node.node.counts.connected == 0 }
        sizes.append(await settledMemory(of: node))
      }
      #expect(sizes[59] < sizes[9] + 2000, "\(sizes)")
    }
  }

  @Test(arguments: [
    ("conn.state.f = print", ""), ("", "restore_connection = function() error 'no' end,"),
  ])
  func `A connection that cannot move leaves nothing in the code that it should have`(cause: (old: String, new: String))
    async throws
  {
    try await withNodes { nodes in
      let config = "config = { probation = 0, handshake_timeout = '1h', max_connections_per_ip = 100 },"
      let node = try await nodes.start(
        answering("old", "\(config) handshake = function(node, conn) \(cause.old) conn:read(1) end,"))
      var peers: [LinePeer] = []
      for _ in 0..<60 { peers.append(try await LinePeer(node)) }
      try await eventually("they are being set up") { await node.node.counts.connecting == 60 }
      try await node.reload(text: answering("new", config + cause.new))
      // With what any connection needs.
      let mover = try await LinePeer(node)
      #expect(try await mover.ask("a") == "a new")
      let before = await memory(of: node)
      for peer in peers { #expect(try await peer.ask("xa") == "a old") }
      #expect(await node.generations().map(\.connections) == [60, 1])
      let after = await memory(of: node)
      #expect(after < before + 5000, "\(before) → \(after)")
    }
  }

  @Test func `What a reload needs is given back after it`() async throws {
    try await withNodes { nodes in
      let text = "return { config = { probation = '1ms' } }"
      let node = try await nodes.start(text)
      // With what calls and connections need, which a reload loads too.
      try await node.lua("return 1")
      let fresh = await memory(of: node)
      try await node.reload(text: text)
      #expect(await node.probation() == .passed)
      let bound = node.generations
      try await eventually("it is given back, without being asked to") {
        return await onLoop(of: node) { bound.value.current.runtime.vm.memoryUsed } < fresh + 4000
      }
      #expect(await failure { try await node.reload(text: "return {}; x") } != nil)
      #expect(await failure { try await node.reload(text: "return { restore = error }") } != nil)
      #expect(await memory(of: node) < fresh + 4000)
    }
  }
}
