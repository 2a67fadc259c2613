import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import NodeSupport
import Testing

/// Every fault in every hook: the report says where, the connection or the node pays, and an innocent node on the same
/// thread goes on answering.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FaultMatrixTests {
  @Test(arguments: FaultyHook.all) func `An error costs what it should and no more`(hook: FaultyHook) async throws {
    try await Neighbourhood.with { try await $0.suffer(Fault.errors, in: hook) }
  }

  @Test(arguments: FaultyHook.all) func `A run over its budget costs what it should and no more`(hook: FaultyHook) async throws {
    try await Neighbourhood.with { try await $0.suffer(Fault.budgets, in: hook) }
  }
}

/// One thread with an innocent node on it, and room for faulty ones.
private struct Neighbourhood {
  let environment: NodeEnvironment
  let log: LogRecorder
  let innocent: ScriptedNode
  let client: RawClient

  static func with(_ body: (Neighbourhood) async throws -> Void) async throws {
    let log = LogRecorder()
    // One environment is one loop.
    let environment = NodeEnvironment.sockets(.epoll, logger: log.logger)
    let source = ScriptSource(
      name: "innocent.lua",
      text: "return { codec = require 'moonpeer.codec'.lines(), process_message = function(_, conn, m) conn:send(m) end }")
    let innocent = try await ScriptedNode.load(source, environment: environment)
    try await withStarted(innocent) { innocent in
      let client = try RawClient(try #require(await innocent.node.address))
      try await body(Neighbourhood(environment: environment, log: log, innocent: innocent, client: client))
      #expect(await innocent.node.heuristics().scriptErrors == 0)
      #expect(await innocent.node.heuristics().budgetKills == 0)
      #expect(await innocent.node.counts.connected == 1)
      client.close()
    }
  }

  func suffer(_ faults: [Fault], in hook: FaultyHook) async throws {
    for fault in faults {
      do { try await suffer(fault, in: hook) } catch { Issue.record("\(fault.name) in \(hook.name): \(error)") }
      try await client.write(Array("ping\n".utf8))
      #expect(try await client.read(5) == Array("ping\n".utf8), "after \(fault.name) in \(hook.name)")
    }
  }

  private func suffer(_ fault: Fault, in hook: FaultyHook) async throws {
    let text = """
      local codec = require "moonpeer.codec"
      local function fault(node, conn) \(fault.code) end
      return { config = { script_time = "60ms", script_memory = "4MiB" }, \(hook.script) }
      """
    let before = log.lines.count
    var options = ScriptOptions()
    options.name = "faulty"
    options.defaults.scriptTime = .milliseconds(60)
    options.defaults.scriptMemory = 4 << 20
    let node: ScriptedNode
    do {
      node = try await ScriptedNode.load(
        ScriptSource(name: "test.lua", text: text), options: options, environment: environment)
    } catch {
      guard hook.payer == .load else { throw error }
      return expectTold(error, fault, hook)
    }
    do {
      try await provoke(node, fault, hook, since: before)
    } catch {
      await node.shutDown()
      throw error
    }
    await node.shutDown()
    #expect(await node.node.counts == (0, 0))
    if hook.name == "on_shutdown" { expectReported(fault, hook, since: before) }
    let heuristics = await node.node.heuristics()
    if hook.payer != .caller {
      #expect(heuristics.scriptErrors + heuristics.budgetKills == 1, "\(fault.name) in \(hook.name): \(heuristics)")
      if fault.kind == .budget { #expect(heuristics.budgetKills == 1, "\(fault.name) in \(hook.name)") }
    }
  }

  private func provoke(_ node: ScriptedNode, _ fault: Fault, _ hook: FaultyHook, since before: Int) async throws {
    if hook.payer == .start {
      return expectTold(await failure { try await node.start() }, fault, hook)
    }
    try await node.start()
    switch hook.payer {
    case .caller:
      expectTold(await failure { _ = try await node.call("go") }, fault, hook)
    case .connection:
      let peer = try RawClient(try #require(await node.node.address))
      try? await peer.write(Array("x\n".utf8))
      _ = try await peer.readToEnd()
      try await eventually("\(fault.name) in \(hook.name) frees its place") { await node.node.counts == (0, 0) }
      try await eventually("it is reported") { log.lines[before...].contains { $0.level == .error } }
      expectReported(fault, hook, since: before)
    default:
      guard hook.name != "on_shutdown" else { return }
      try await eventually("it is reported") { log.lines[before...].contains { $0.level == .error } }
      expectReported(fault, hook, since: before)
    }
    #expect(try await node.lua("return 'alive'") == "alive", "\(fault.name) in \(hook.name)")
  }

  /// One line, with everything that helps.
  private func expectReported(_ fault: Fault, _ hook: FaultyHook, since before: Int) {
    let cell = "\(fault.name) in \(hook.name)"
    let lines = log.lines[before...].filter { $0.level == .error }
    #expect(lines.count == 1, "\(cell): \(lines.map(\.message))")
    guard let line = lines.first else { return }
    let peer = hook.payer == .connection ? " (peer 127.0.0.1:" : ": "
    let isPlaced = hook.lines.contains { line.message.hasPrefix("\($0): in \(hook.hook)\(peer)") }
    #expect(isPlaced, "\(cell): \(line.message)")
    #expect(line.metadata["hook"] == hook.hook, "\(cell): \(line.metadata)")
    #expect((line.metadata["kind"] == "budget") == (fault.kind == .budget), "\(cell): \(line.metadata)")
    #expect(hook.lines.contains { line.metadata["traceback"]?.contains($0) == true }, "\(cell): \(line.metadata)")
  }

  private func expectTold(_ error: ScriptError?, _ fault: Fault, _ hook: FaultyHook) {
    let cell = "\(fault.name) in \(hook.name)"
    #expect(error != nil, "\(cell)")
    #expect(
      (error?.code == .budget || error?.kind == "budget") == (fault.kind == .budget), "\(cell): \(String(describing: error))")
    let place = error?.location ?? error?.message ?? ""
    #expect(hook.lines.contains { place.hasPrefix($0) } || hook.name == "joined task", "\(cell): \(String(describing: error))")
  }
}
