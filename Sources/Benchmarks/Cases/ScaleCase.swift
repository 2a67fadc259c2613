import Foundation
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// What a connection and a node cost when there are many: each step adds to the one before, and is measured by itself.
enum ScaleCase {
  static let cases: [Case] = [
    Case(
      name: "scale-connections", summary: "memory per connection, from %n on ÷ of the first %n", unit: .ratio,
      parameters: Parameters(connections: 100_000, loops: 1), number: 1000, body: connections),
    Case(
      name: "scale-nodes", summary: "memory per node, from %n on ÷ of the first %n", unit: .ratio,
      parameters: Parameters(nodes: 1000, loops: 1), number: 100, body: nodes),
  ]

  /// A step of the curve: what it added, in all.
  private struct Step {
    var total: Int
    var added: Int
    var memory: Int
    var seconds: Double
    var cpuSeconds: Double

    /// Each one's share, by names such as `bytes_each_1000`.
    func note(into more: inout [String: Double], _ size: String) {
      more["bytes_each_\(size)"] = Double(memory) / Double(added)
      more["us_each_\(size)"] = seconds / Double(added) * 1e6
      more["cpu_us_each_\(size)"] = cpuSeconds / Double(added) * 1e6
    }
  }

  /// The later steps' memory each, to that of the first ones up to `first`.
  private static func growth(_ steps: [Step], first: Int) -> Double {
    func each(_ steps: [Step]) -> Double {
      Double(steps.map(\.memory).reduce(0, +)) / Double(max(1, steps.map(\.added).reduce(0, +)))
    }
    let late = steps.filter { $0.total > first }
    return late.isEmpty ? 1 : each(late) / each(steps.filter { $0.total <= first })
  }

  static func connections(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let server = try await nodes.lua(IdleCase.script)
    let client = try await nodes.lua(ConnectCase.script, listens: false)
    let address = await server.node.address!
    // What all connections share, and what the allocator takes at once.
    let warm = try DialerProcess(port: address.port!, count: 100)
    defer { warm.end() }
    try await until("the first connections") { await server.node.counts.connected == 100 }
    _ = try await client.call("cycle", [LuaValue("\(address)"), 100])
    var held = 100

    var dialers: [DialerProcess] = []
    defer { dialers.forEach { $0.end() } }
    var steps: [Step] = []
    var more: [String: Double] = [:]
    for size in [100, 1000, 10_000, 100_000] where size <= parameters.connections {
      let total = size / parameters.divisor
      guard Machine.hasDescriptors(total + 200, for: "scale-connections ends before \(total) connections") else { break }
      // Those that came and went are over on this side too.
      try await until("the last cycle's end") { await server.node.counts.connected == held }
      let step = try await add(total - (steps.last?.total ?? 0), to: server, beside: held, address.port!, &dialers)
      held += step.added
      steps.append(step)
      step.note(into: &more, "\(size)")
      // Others come and go meanwhile: does it matter to them how many stay?
      let count = 500
      let start = (Machine.seconds, Machine.cpuSeconds)
      _ = try await client.call("cycle", [LuaValue("\(address)"), .integer(Int64(count))])
      more["us_connect_beside_\(size)"] = (Machine.seconds - start.0) / Double(count) * 1e6
      more["cpu_us_connect_beside_\(size)"] = (Machine.cpuSeconds - start.1) / Double(count) * 1e6
    }
    more["connections_held"] = Double(held)
    let first = 1000 / parameters.divisor
    return Measurement(value: growth(steps, first: first), more: more, number: first, checked: held)
  }

  private static func add(
    _ count: Int, to server: ScriptedNode, beside before: Int, _ port: UInt16, _ dialers: inout [DialerProcess]
  ) async throws -> Step {
    _ = try await server.call("messages")
    let memory = Machine.memory
    let dialer = try DialerProcess(port: port, count: count, before: before)
    dialers.append(dialer)
    try await until("the first of \(count) connections") { await server.node.counts.connected > before }
    let (first, start, cpu) = (await server.node.counts.connected, Machine.seconds, Machine.cpuSeconds)
    try await dialer.all { await server.node.counts.connected }
    let share = Double(count) / Double(max(1, before + count - first))
    let (elapsed, used) = ((Machine.seconds - start) * share, (Machine.cpuSeconds - cpu) * share)
    _ = try await server.call("messages")
    return Step(total: before + count - 100, added: count, memory: Machine.memory - memory, seconds: elapsed, cpuSeconds: used)
  }

  static func nodes(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    var kept: [ScriptedNode] = []
    for _ in 0..<20 { kept.append(try await nodes.lua(NodeCase.script)) }
    let shared = kept.count
    var steps: [Step] = []
    var more: [String: Double] = [:]
    for size in [10, 100, 1000] where size <= parameters.nodes {
      let added = size / parameters.divisor - (steps.last?.total ?? 0)
      let (memory, start, cpu) = (Machine.memory, Machine.seconds, Machine.cpuSeconds)
      for _ in 0..<added { kept.append(try await nodes.lua(NodeCase.script)) }
      let step = Step(
        total: kept.count - shared, added: added, memory: Machine.memory - memory, seconds: Machine.seconds - start,
        cpuSeconds: Machine.cpuSeconds - cpu)
      steps.append(step)
      step.note(into: &more, "\(size)")
    }
    let first = 100 / parameters.divisor
    return Measurement(value: growth(steps, first: first), more: more, number: first, checked: kept.count)
  }
}
