import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import NodeSupport
import Testing

/// One thread with an innocent node on it, and room for faulty ones.
struct Neighbourhood {
  let environment: NodeEnvironment
  let log: LogRecorder
  let innocent: ScriptedNode
  let client: RawClient

  static func with(_ body: (Neighbourhood) async throws -> Void) async throws {
    try await withLoops { loops in try await with(loops, body) }
  }

  private static func with(_ loops: EpollLoops, _ body: (Neighbourhood) async throws -> Void) async throws {
    let log = LogRecorder()
    // One environment is one loop.
    let environment = NodeEnvironment.sockets(on: loops, logger: log.logger)
    let source = ScriptSource(
      name: "innocent.lua",
      text: "return { codec = require 'moonpeer.codec'.lines(), process_message = function(_, conn, m) conn:send(m) end }")
    let innocent = try await ScriptedNode.load(source, environment: environment)
    try await innocent.start()
    do {
      let client = try RawClient(try #require(await innocent.node.address))
      try await body(Neighbourhood(environment: environment, log: log, innocent: innocent, client: client))
      #expect(await innocent.node.heuristics().scriptErrors == 0)
      #expect(await innocent.node.heuristics().budgetKills == 0)
      #expect(await innocent.node.counts.connected == 1)
      client.close()
    } catch {
      await innocent.shutDown()
      throw error
    }
    await innocent.shutDown()
  }

  /// - Parameter level: how an error is logged: a decoder's is the peer's doing, unless the codec breaks its promises.
  func suffer(_ faults: [Fault], in hook: FaultyHook, level: Logger.Level = .error) async throws {
    for fault in faults {
      let cell = FaultyCell(
        fault: fault, hook: hook, level: fault.kind == .budget ? .error : level, before: log.lines.count, log: log)
      do { try await suffer(cell) } catch { Issue.record("\(cell): \(error)") }
      try await client.write(Array("ping\n".utf8))
      #expect(try await client.read(5) == Array("ping\n".utf8), "after \(cell)")
    }
  }

  private func suffer(_ cell: FaultyCell) async throws {
    var options = ScriptOptions()
    options.name = "faulty"
    options.defaults.scriptTime = .milliseconds(60)
    options.defaults.scriptMemory = 4 << 20
    let node: ScriptedNode
    do {
      node = try await ScriptedNode.load(
        ScriptSource(name: "test.lua", text: cell.text), options: options, environment: environment)
    } catch {
      guard cell.hook.payer == .load else { throw error }
      return cell.expectTold(error)
    }
    do {
      try await provoke(node, cell)
    } catch {
      await node.shutDown()
      throw error
    }
    await node.shutDown()
    #expect(await node.node.counts == (0, 0))
    if cell.hook.name == "on_shutdown" { cell.expectReported() }
    cell.expectCounted(await node.node.heuristics())
  }

  private func provoke(_ node: ScriptedNode, _ cell: FaultyCell) async throws {
    let hook = cell.hook
    if hook.payer == .start {
      return cell.expectTold(await failure { try await node.start() })
    }
    try await node.start()
    var peer: RawClient?
    if hook.isOfConnection || hook.takesPeer || hook.payer == .reload {
      peer = try RawClient(try #require(await node.node.address))
      // A message for the hook, and one for whoever waits in it.
      try? await peer?.write(Array("x\nx\n".utf8))
    }
    switch hook.payer {
    case .caller:
      cell.expectTold(
        await failure {
          if let code = hook.evaluated { _ = try await node.evaluate(code) } else { _ = try await node.call("go") }
        })
    case .connection, .decoding:
      _ = try await peer?.readToEnd()
      try await eventually("\(cell) frees its place") { await node.node.counts == (0, 0) }
      try await cell.isReported()
      if hook.payer == .decoding {
        #expect(try await node.lua("return reason") == (cell.fault.kind == .budget ? "budget" : "decode"), "\(cell)")
      }
    case .reload:
      try await eventually("it is there") { await node.node.counts == (1, 0) }
      let next = ScriptSource(name: "test.lua", text: cell.textAfterReload)
      cell.expectTold(await failure { try await node.reload(next) })
      #expect(await node.node.counts == (1, 0), "\(cell)")
      #expect(await node.generations().map(\.number) == [1], "\(cell)")
    default:
      if hook.name != "on_shutdown" { try await cell.isReported() }
      if hook.takesPeer { #expect(await node.node.counts == (1, 0), "\(cell)") }
    }
    #expect(try await node.lua("return 'alive'") == "alive", "\(cell)")
    peer?.close()
  }
}
