import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// `host.network`: what `network.lua` asks of the host. Whatever waits parks the scenario's task.
enum NetworkNatives {
  static let natives: [(String, LuaNative)] = [
    ("start", start), ("call", call), ("eval", evaluate), ("connect", connect), ("edges", edges), ("address", address),
    ("connected", connected), ("connections", connections), ("stats", stats), ("heuristics", heuristics), ("stop", stop),
    ("restart", restart), ("reload", reload),
  ]

  /// start(script, arguments) → { id, name }
  private static let start: LuaNative = { state in
    let call = LuaCall(state)
    guard let script = call.string(1) else { return call.raise("usage", "a script is expected") }
    let given: LuaTable
    do throws(LuaError) { given = try call.plain(2).table ?? LuaTable() } catch {
      return call.raise("usage", "the node's arguments must be plain data: \(error.message)")
    }
    return wait(call, "net:node") { world throws(ScriptError) in
      let (id, name) = try await world.start(script, given)
      return [["id": .integer(id), "name": LuaValue(name)]]
    }
  }

  private static let call: LuaNative = { state in
    let call = LuaCall(state)
    guard let id = call.integer(1), let name = call.string(2) else {
      return call.raise("usage", "call: a call's name is expected")
    }
    guard let arguments = rest(call, from: 3) else { return call.raise("usage", "call: the arguments must be plain data") }
    return wait(call, "handle:call") { world throws(ScriptError) in try await world.call(id, name, arguments) }
  }

  private static let evaluate: LuaNative = { state in
    let call = LuaCall(state)
    guard let id = call.integer(1), let code = call.string(2) else { return call.raise("usage", "eval: Lua code is expected") }
    guard let arguments = rest(call, from: 3) else { return call.raise("usage", "eval: the arguments must be plain data") }
    return wait(call, "handle:eval") { world throws(ScriptError) in try await world.evaluate(id, code, arguments) }
  }

  private static let connect: LuaNative = { state in
    let call = LuaCall(state)
    guard let from = call.integer(1), let to = call.integer(2) else { return call.none() }
    return wait(call, "net:connect") { world throws(ScriptError) in
      try await world.connect(from, to)
      return []
    }
  }

  /// edges(kind, a, b, count) → a list of { from, to }, counted from 1; raises where the topology cannot be formed
  private static let edges: LuaNative = { state in
    let call = LuaCall(state)
    guard let kind = call.string(1), let a = call.integer(2), let b = call.integer(3), let count = call.integer(4) else {
      return call.raise("usage", "net:connect: a topology's numbers must be whole numbers")
    }
    let topology: Topology
    switch kind {
    case "line": topology = .line
    case "ring": topology = .ring
    case "mesh": topology = .mesh
    case "star": topology = .star
    case "grid": topology = .grid(width: Int(a), height: Int(b))
    case "tree": topology = .tree(branching: Int(a))
    case "random": topology = .random(degree: Int(a), seed: UInt64(bitPattern: b))
    default:
      return call.raise(
        "usage", "net:connect: there is no topology \"\(kind)\"\(NearestName.hint(for: kind, among: Topology.names))")
    }
    do throws(NodeCoreError) {
      let edges = try topology.edges(Int(count))
      let values = edges.map { LuaValue.table(LuaTable(array: [.integer(Int64($0.0 + 1)), .integer(Int64($0.1 + 1))])) }
      return call.returns { $0.value(.table(LuaTable(array: values))) }
    } catch {
      return call.raise("usage", "net:connect: \(error.message)")
    }
  }

  private static let address: LuaNative = { state in
    one(LuaCall(state), "handle.address") { world, id throws(ScriptError) in
      try await world.address(id).map { LuaValue("\($0)") } ?? .nil
    }
  }

  private static let connected: LuaNative = { state in
    one(LuaCall(state), "net:connect") { world, id throws(ScriptError) in .integer(Int64(try await world.connected(id))) }
  }

  private static let connections: LuaNative = { state in
    one(LuaCall(state), "handle:connections") { world, id throws(ScriptError) in
      let connections = try await world.connections(id).map { info -> LuaValue in
        [
          "id": .integer(Int64(info.id.rawValue)), "address": LuaValue("\(info.address)"),
          "local_address": LuaValue("\(info.localAddress)"), "side": LuaValue(info.side.rawValue),
        ]
      }
      return .table(LuaTable(array: connections))
    }
  }

  private static let stats: LuaNative = { state in
    one(LuaCall(state), "handle:stats") { world, id throws(ScriptError) in try await world.statistics(id).asLuaValue }
  }

  private static let heuristics: LuaNative = { state in
    one(LuaCall(state), "handle:heuristics") { world, id throws(ScriptError) in try await world.heuristics(id).asLuaValue }
  }

  private static let stop: LuaNative = { state in
    let call = LuaCall(state)
    let isCrash = call.boolean(2) ?? false
    return one(call, isCrash ? "handle:crash" : "handle:shut_down") { world, id throws(ScriptError) in
      .boolean(try await world.stop(id, isCrash: isCrash))
    }
  }

  private static let restart: LuaNative = { state in
    one(LuaCall(state), "handle:restart") { world, id throws(ScriptError) in
      try await world.restart(id)
      return .boolean(true)
    }
  }

  /// reload(id, script?) → { generation, moved, left, pause, warnings }
  private static let reload: LuaNative = { state in
    let call = LuaCall(state)
    let script = call.string(2)
    return one(call, "handle:reload") { world, id throws(ScriptError) in
      let report = try await world.reload(id, script)
      return [
        "generation": .integer(Int64(report.generation)), "moved": .integer(Int64(report.moved)),
        "left": .integer(Int64(report.left)), "pause": .number(report.pause / .seconds(1)),
        "warnings": .table(LuaTable(array: report.warnings.map { LuaValue($0) })),
      ]
    }
  }

  private static func one(
    _ call: LuaCall, _ what: String,
    _ work: @escaping @Sendable (ScenarioWorld, Int64) async throws(ScriptError) -> LuaValue
  ) -> Int32 {
    guard let id = call.integer(1) else { return call.raise("usage", "\(what): a node is expected") }
    return wait(call, what) { world throws(ScriptError) in [try await work(world, id)] }
  }

  /// Parks the scenario's task until the work is done elsewhere.
  private static func wait(
    _ call: LuaCall, _ what: String,
    _ work: @escaping @Sendable (ScenarioWorld) async throws(ScriptError) -> [LuaValue]
  ) -> Int32 {
    let runtime = ScriptRuntime.of(call)
    guard let world = runtime.extra as? ScenarioWorld else {
      return call.raise("usage", "\(what): there is no network here; do this inside a scenario")
    }
    return runtime.park(call, what) { () async throws(ScriptError) in try await work(world) }
  }

  private static func rest(_ call: LuaCall, from first: Int) -> [LuaValue]? {
    guard call.argumentCount >= first else { return [] }
    return try? (first...call.argumentCount).map { try call.plain(Int32($0)) }
  }
}
