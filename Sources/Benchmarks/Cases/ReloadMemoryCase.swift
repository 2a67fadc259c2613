import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// What many reloads leave behind: nothing, whether they take over, are refused, fail half-way or are rolled back.
enum ReloadMemoryCase {
  static let cases = [
    Case(
      name: "reload-memory",
      summary: "resident memory per reload after the first %n, of ten times that: a tenth refused, failing, rolled back",
      unit: .memory, parameters: Parameters(connections: 4, loops: 2), number: 1000, body: body)
  ]

  private static func server(_ generation: Int, _ more: String = "") -> String {
    """
    local codec = require "moonpeer.codec"
    return {
      version = \(generation),
      codec = codec.length_prefixed(),
      config = { probation_hooks = 1000000 },
      process_message = function(node, conn, message)
        conn.state.count = (conn.state.count or 0) + 1
        conn:send(message)
      end,
      timers = { tick = { every = "1s", run = function() end } },
      calls = { collect = function() collectgarbage() collectgarbage() end },
      \(more)
    }
    """
  }

  private static let client = """
    local codec = require "moonpeer.codec"
    local conn
    return {
      codec = codec.length_prefixed(),
      calls = {
        begin = function(node, address) conn = assert(node:connect(address)) end,
        ask = function(_, text) return assert(conn:request(text)) == text end,
      },
    }
    """

  private static let failingRestore = "restore = function() error 'no' end,"
  private static let failingTask =
    "restore = function(data) require('moonpeer.node'):spawn(function() error 'no' end) return data end,"

  /// The tenth of the round says what becomes of it.
  private static func reload(_ server: ScriptedNode, _ round: Int) async throws {
    switch round % 10 {
    case 3: try await refused(server, "return {")
    case 5: try await refused(server, Self.server(round, failingRestore))
    case 7:
      try await server.reload(ScriptSource(name: "server.lua", text: Self.server(round, failingTask)))
      guard case .rolledBack = await server.probation() else { throw BenchError("reload \(round) was not rolled back") }
    default: try await server.reload(ScriptSource(name: "server.lua", text: Self.server(round)))
    }
  }

  private static func refused(_ server: ScriptedNode, _ text: String) async throws {
    do throws(ScriptError) {
      try await server.reload(ScriptSource(name: "server.lua", text: text))
    } catch {
      return
    }
    throw BenchError("it was taken: \(text)")
  }

  static func body(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let server = try await nodes.lua(Self.server(1))
    let address = LuaValue("\(await server.node.address!)")
    var clients: [ScriptedNode] = []
    for _ in 0..<parameters.connections {
      let one = try await nodes.lua(client, listens: false)
      _ = try await one.call("begin", [address])
      clients.append(one)
    }
    let step = 1000 / parameters.divisor
    var more: [String: Double] = [:]
    var resident: [Int] = []
    var checked = 0
    for round in 1...(10 * step) {
      try await reload(server, round)
      let answer = try await clients[round % clients.count].call("ask", [LuaValue("\(round)")])
      guard answer == [true] else { throw BenchError("reload \(round): a wrong answer") }
      checked += 1
      guard round.isMultiple(of: step) else { continue }
      _ = try await server.call("collect")
      let snapshot = await server.snapshot()
      resident.append(Machine.memory)
      let place = "\(round)".count < 5 ? "0\(round)" : "\(round)"
      more["lua_\(place)"] = Double(snapshot.luaMemory)
      more["resident_\(place)"] = Double(Machine.memory)
      guard snapshot.generations == 2, snapshot.waitingRuns == 0 else {
        throw BenchError("\(snapshot.generations) generations, \(snapshot.waitingRuns) runs are left")
      }
    }
    let growth = resident[resident.count - 1] - resident[0]
    return Measurement(value: Double(growth) / Double(9 * step), more: more, number: step, checked: checked)
  }
}
