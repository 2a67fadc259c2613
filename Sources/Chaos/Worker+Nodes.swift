import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Nodes, and their listeners.
extension Worker {
  mutating func spawn() async {
    guard let place = world.takeEmpty(&generator) else { return await look() }
    let plan = NodePlan(slot: place, &generator)
    let key = world.nextKey()
    let numbers = generator.split("node \(key)")
    let made = await watch("spawn", "node \(key) (\(plan.backend), \(plan.kind))") { () -> Result<ChaosNode, any Error> in
      do { return .success(try await ChaosNode.start(plan, key: key, in: world, numbers)) } catch { return .failure(error) }
    }
    switch made {
    case .success(let node): world.put(.node(node), at: place)
    case .failure(let error): world.verdict.fail("\(name): node \(key) (\(plan)) did not start: \(error)")
    }
  }

  mutating func shutDown() async {
    guard let (place, node) = world.takeNode(&generator) else { return }
    await end(node, at: place)
  }

  /// Shuts it down, perhaps twice at once, and looks at what is left.
  mutating func end(_ node: ChaosNode, at place: Int) async {
    let twice = chance(4)
    await watch("shut down", node.description, bound: 90) {
      async let second: Void = twice ? node.node.shutDown() : ()
      await node.node.shutDown()
      await second
    }
    await bury(node, at: place)
  }

  mutating func crash() async {
    guard let (place, node) = world.takeNode(&generator) else { return }
    await watch("crash", node.description) {
      await node.node.crash()
      node.record.crash()
    }
    await bury(node, at: place)
  }

  private func bury(_ node: ChaosNode, at place: Int) async {
    if let left = await node.node.remains() { world.verdict.fail("\(name): after the shutdown of \(node.description): \(left)") }
    let heuristics = await node.node.heuristics()
    if let wrong = node.record.imbalance {
      let late = heuristics.hookTimeouts
      world.verdict.fail("\(name): after the shutdown of \(node.description), \(late) hooks of which ran late: \(wrong)")
    }
    if let wrong = world.sheet.unexplained(node.key, kills: heuristics.budgetKills) { world.verdict.fail("\(name): \(wrong)") }
    world.noteGone(node, heuristics)
    await watch("see the port free", node.description) {
      // Another node may have been given the port; then it is that one's.
      while Ports.listening.contains(node.address), !world.isBusy, !world.nodes.contains(where: { $0.address == node.address }) {
        await Task.yield()
      }
    }
    world.put(.empty, at: place)
  }

  mutating func toggle() async {
    guard let node = world.anyNode(&generator) else { return }
    await watch("stop listening", node.description) { await node.node.stopListening() }
    let wishes = [node.address, .ip(node.address.ip ?? .loopback, port: 0)]
    for wish in wishes {
      let problem = await watch("listen", "\(node.description) on \(wish)") { () -> NodeError? in
        do throws(NodeError) {
          _ = try await node.node.listen(on: wish)
          return nil
        } catch {
          return error
        }
      }
      guard let problem else { return }
      check(problem, "listen", allowed: [.addressInUse, .limit, .shutdown])
      if problem.code == .shutdown { return }
    }
  }

  mutating func reload() async {
    guard let node = world.anyNode(&generator, where: { $0.scripted != nil }), let scripted = node.scripted else { return }
    let fault: ChaosScript.Fault = chance(3) ? .allCases.randomElement(using: &generator)! : .none
    let isDear = [.topLoop, .topBomb, .restoreLoop].contains(fault)
    let script = ChaosScript(
      version: Int.random(in: 2...(1 << 52), using: &generator), codec: .allCases.randomElement(using: &generator)!,
      isSession: node.isSession, fault: isDear && !world.allowsDear() ? .none : fault)
    let problem = await watch("reload", "\(node.description), fault \(fault)") { () -> ScriptError? in
      do throws(ScriptError) {
        try await scripted.reload(script.source)
        return nil
      } catch {
        return error
      }
    }
    guard let problem else { return world.note("reload: done") }
    world.note("reload: \(problem.code.rawValue)/\(problem.kind)")
    // Code that is in order may only fail because hooks under way do not end, or the node does.
    if script.fault == .none, !["timeout", "shutdown", "budget"].contains(problem.kind) {
      world.verdict.fail("\(name): a reload of \(node.description) failed: \(problem)\n\(problem.traceback ?? "")")
    }
  }

  mutating func fault() async {
    guard let node = world.anyNode(&generator, where: { $0.scripted != nil }), let scripted = node.scripted,
      world.allowsDear()
    else { return }
    let action = [Message.Action.raise, .loop, .bomb, .badError, .recurse, .coroutine, .hugeString, .closeLoop]
      .randomElement(using: &generator)!
    await watch("fault", "\(node.description): \(action)") {
      do throws(ScriptError) {
        _ = try await scripted.call("fault", [.integer(Int64(action.rawValue))])
        world.verdict.fail("\(name): \(action) in a call of \(node.description) went well")
      } catch {
        world.note("fault: \(error.code.rawValue)")
      }
    }
  }
}
