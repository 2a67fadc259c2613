import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// What has ended is freed: nodes, their VMs, runs and handles.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct LifetimeTests {
  /// Everything a script can leave behind: parked hooks, tasks, timers, requests, streams, calls between nodes.
  private static let busy = """
    local codec = require "moonpeer.codec"
    return { codec = codec.lines(),
      handshake = function(node, conn) return conn.side end,
      init = function(node)
        node.state.queue = node:queue()
        node:spawn(function() node.state.queue:get() end)
        node:spawn(function() node:sleep("1h") end)
        node:after("1h", print)
        node:every("1h", print)
      end,
      on_connect = function(node, conn) node:sleep("1h") end,
      process_message = function(node, conn, message)
        if message == "park" then node:sleep("1h") else conn:send(message) end
      end,
      on_disconnect = function(node, conn) node.state.last = conn end,
      timers = { t = { every = "1ms", run = function(node) node:sleep("1h") end } },
      calls = {
        wait = function(node) node:sleep("1h") end,
        meet = function(node, address)
          local conn = assert(node:connect(address))
          conn:request("hello")
          local stream = node:open(address)
          node:spawn(function() stream:read(1) end)
          node:spawn(function() conn:request("park", { timeout = "1h" }) end)
          node:spawn(function() node:call(node.name, "wait") end)
          local sender = node:spawn(function() while true do conn:send(("x"):rep(1000)) end end)
          repeat node:sleep(0) until sender.status ~= "running"
          assert(sender:cancel() and sender.status ~= "finished", sender.status)
        end,
      } }
    """

  /// Weak eyes on all that a node is made of.
  private struct Watched: @unchecked Sendable {
    weak var node: ScriptedNode?
    weak var hooks: ScriptHooks?
    weak var runtime: ScriptRuntime?
    weak var vm: LuaVM?
    weak var actor: Node?

    var alive: [String] {
      [
        node.map { _ in "ScriptedNode" }, hooks.map { _ in "ScriptHooks" }, runtime.map { _ in "ScriptRuntime" },
        vm.map { _ in "LuaVM" }, actor.map { _ in "Node" },
      ].compactMap(\.self)
    }
  }

  private func watch(_ node: ScriptedNode) -> Watched {
    let hooks = node.hooks.value
    return Watched(node: node, hooks: hooks, runtime: hooks.runtime, vm: hooks.runtime.vm, actor: node.node)
  }

  private func load(_ text: String, name: String? = nil, directory: NodeDirectory? = nil) async throws -> ScriptedNode {
    var options = ScriptOptions()
    options.name = name
    return try await ScriptedNode.load(
      ScriptSource(name: "test.lua", text: text), options: options,
      environment: Backend.current.environment(logger: LogRecorder().logger), directory: directory)
  }

  private func expectFreed(_ watched: [Watched]) async throws {
    try await eventually("all are freed; alive: \(watched.flatMap(\.alive).sorted())") { watched.allSatisfy(\.alive.isEmpty) }
  }

  @Test(arguments: ["shutDown", "crash"])
  func `Nodes that have ended are freed, whatever they were doing`(end: String) async throws {
    var watched: [Watched] = []
    for _ in 1...5 {
      let directory = NodeDirectory()
      let server = try await load(Self.busy, name: "server", directory: directory)
      let client = try await load(Self.busy, name: "client", directory: directory)
      try await server.start()
      try await client.start()
      _ = try await client.call("meet", [server.at])
      watched += [watch(server), watch(client)]
      if end == "crash" {
        await server.crash()
        await client.crash()
      } else {
        await server.shutDown()
        await client.shutDown()
      }
      #expect(directory.names.isEmpty)
    }
    try await expectFreed(watched)
  }

  @Test func `A node that was never started, or did not load, is freed`() async throws {
    var watched: [Watched] = []
    for _ in 1...3 {
      let directory = NodeDirectory()
      let first = try await load("return { init = function(node) error 'no' end }", name: "anna", directory: directory)
      _ = await failure { _ = try await load("return {}", name: "anna", directory: directory) }
      watched.append(watch(first))
      _ = await failure { try await first.start() }
      let second = try await load("return {}")
      watched.append(watch(second))
      _ = await failure { _ = try await load("return { nonsense = 1 }") }
    }
    try await expectFreed(watched)
  }

  @Test func `Runs, threads and timers are counted down to none at the end`() async throws {
    let node = try await load(Self.busy)
    let bound = LoopBound(node.hooks.value.runtime)
    try await node.start()
    await node.shutDown()
    await onLoop(of: node) {
      let runtime = bound.value
      #expect(runtime.tasks.isEmpty)
      #expect(runtime.timers.count == 0)
      #expect(runtime.idle.count == 0)
      #expect(runtime.parked.count == 0)
      #expect(runtime.hooks == nil)
    }
  }

  @Test func `After a burst of runs that waited at once, few idle coroutines are kept`() async throws {
    let node = try await load("return {}")
    try await node.start()
    let bound = LoopBound(node.hooks.value.runtime)
    try await node.lua(
      """
      local tasks = {}
      for i = 1, 2000 do tasks[i] = node:spawn(function() node:sleep(0) return i end) end
      for i, task in ipairs(tasks) do assert(task:join() == i) end
      """)
    await onLoop(of: node) {
      let runtime = bound.value
      #expect(runtime.idle.count <= 64)
      #expect(runtime.parked.count == 0)
      #expect(runtime.tasks.count == 0)
    }
    await node.shutDown()
  }

  @Test func `Ten thousand messages, errors and reconnections leave the VM as small as it was`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(), process_message = function(node, conn, message)
          if message == "bad" then error "no" end
          if message == "wait" then node:sleep(0) end
          conn:send(message)
        end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      let round = """
        local at, rounds = ...
        for i = 1, rounds do
          local conn = assert(node:connect(at))
          for _ = 1, 20 do
            for _, word in ipairs { "x", "wait" } do
              local reply, why = conn:request(word)
              assert(reply == word, tostring(reply) .. " " .. tostring(why))
            end
          end
          assert(select(2, conn:request "bad") == "closed")
          node:disconnect(conn)
        end
        """
      func size(_ node: ScriptedNode) async -> Int {
        let hooks = node.hooks
        return await onLoop(of: node) {
          let vm = hooks.value.runtime.vm
          vm.collect()
          vm.collect()
          return vm.memoryUsed
        }
      }
      try await client.lua(round, server.at, 20)
      let before = await (size(server), size(client))
      try await client.lua(round, server.at, 230)
      let after = await (size(server), size(client))
      // One leaked handle for each of the 230 connections would be over 60 KB.
      #expect(after.0 - before.0 < 20_000, "the server's VM grew from \(before.0) to \(after.0)")
      #expect(after.1 - before.1 < 20_000, "the client's VM grew from \(before.1) to \(after.1)")
      #expect(await server.node.heuristics().scriptErrors == 250)
    }
  }
}
