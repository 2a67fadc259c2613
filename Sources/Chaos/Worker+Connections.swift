import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Connections, and what is sent on them.
extension Worker {
  private static let refusals: Set<NodeError.Code> = [
    .refused, .timeout, .limit, .duplicate, .own, .handshake, .closed, .cancelled, .shutdown, .budget, .script,
  ]

  mutating func connect() async {
    guard let node = world.anyNode(&generator), let other = world.anyNode(&generator) else { return }
    let address = other.address
    if let scripted = node.scripted, chance(2) {
      let outcome = await watch("dial from a script", "\(node.description) → \(other.description)") {
        await text { () throws(ScriptError) in try await scripted.call("dial", [LuaValue("\(address)")]) }
      }
      return world.note("dial: \(outcome)")
    }
    var options = DialOptions()
    // Other sources, so that the limits by address are met.
    if chance(2) { options.localAddress = .ip(IPAddress("127.0.0.\(Int.random(in: 1...6, using: &generator))")!, port: 0) }
    let isCancelled = chance(8)
    let problem = await watch("connect", "\(node.description) → \(other.description)") { [options] () -> NodeError? in
      let dial = Task { () -> NodeError? in
        do throws(NodeError) {
          _ = try await node.node.connect(to: address, options: options)
          return nil
        } catch {
          return error
        }
      }
      if isCancelled { dial.cancel() }
      return await dial.value
    }
    if let problem { check(problem, "connect", allowed: Self.refusals) } else { world.note("connect: connected") }
  }

  /// What a call came to, in a word; a call may always meet a node that ends, or that is out of its budget.
  private func text(_ call: () async throws(ScriptError) -> [LuaValue]) async -> String {
    do throws(ScriptError) {
      return try await call().first.map { "\($0.text ?? "done")" } ?? "done"
    } catch {
      return error.kind
    }
  }

  mutating func disconnect() async {
    guard let node = world.anyNode(&generator) else { return }
    if let scripted = node.scripted, chance(2) {
      let pick = Int64.random(in: 0..<100, using: &generator)
      _ = await watch("disconnect from a script", node.description) {
        await text { () throws(ScriptError) in try await scripted.call("drop", [.integer(pick)]) }
      }
      return
    }
    guard let one = await node.node.connections().randomElement(using: &generator) else { return }
    let count = chance(4) ? 3 : 1
    let firsts = await watch("disconnect", "\(one.id) of \(node.description)") {
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<count { group.addTask { await node.node.disconnect(one.id) } }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
    }
    if firsts > 1 { world.verdict.fail("\(name): \(firsts) callers ended connection \(one.id) of \(node.description)") }
  }

  mutating func send() async {
    guard let node = world.anyNode(&generator) else { return }
    let count = chance(10) ? 200 : Int.random(in: 1...20, using: &generator)
    let padding = chance(12) ? 50_000 : Int.random(in: 0...1500, using: &generator)
    let actions = (0..<(padding > 10_000 ? min(count, 3) : count)).map { _ in action() }
    let pick = Int.random(in: 0..<100, using: &generator)
    let what = "\(actions.count) messages of \(padding) bytes from \(node.description)"
    await watch("send", what) {
      if let scripted = node.scripted {
        let list = LuaValue.table(LuaTable(array: actions.map { .integer(Int64($0.rawValue)) }))
        let arguments: [LuaValue] = [.integer(Int64(pick)), .integer(Int64(padding)), list]
        _ = await text { () throws(ScriptError) in try await scripted.call("send", arguments) }
      } else {
        await node.onLoop { logic, local, done in
          let all = local.connections
          guard !all.isEmpty else { return done() }
          logic.send(all[pick % all.count], actions[...], padding: padding, done)
        }
      }
    }
  }

  mutating func broadcast() async {
    guard let node = world.anyNode(&generator) else { return }
    let action = action()
    let padding = Int.random(in: 0...800, using: &generator)
    await watch("broadcast", node.description) {
      if let scripted = node.scripted {
        _ = await text { () throws(ScriptError) in
          try await scripted.call("broadcast", [.integer(Int64(action.rawValue)), .integer(Int64(padding))])
        }
      } else {
        await node.onLoop { logic, local, done in
          logic.broadcast(local, action, padding: padding)
          done()
        }
      }
    }
  }

  /// A peer that keeps no rules.
  mutating func stranger() async {
    guard let node = world.anyNode(&generator), let socket = Stranger(to: node.address) else { return }
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: break
    case 1: socket.send([UInt8](repeating: 7, count: 5))
    case 2: socket.send(EndKey(node: 0, connection: 0).greeting)
    case 3: socket.send(EndKey(node: 0, connection: 0).greeting + [255, 255, 255, 255])
    case 4: socket.send(EndKey(node: 0, connection: 0).greeting + (0..<3000).map { _ in .random(in: 0...255, using: &generator) })
    case 5: socket.endWriting()
    default:
      // It stays for a while, and says nothing.
      await look()
      await look()
    }
    if chance(2) { socket.reset() }
  }
}
