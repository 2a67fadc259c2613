import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Takes connections that another process dials.
enum AcceptCase {
  static let cases = [
    Case(
      name: "accept-10000", summary: "accepts %n connections from another process", unit: .connections,
      parameters: Parameters(connections: 10_000, loops: 1), number: 10_000, body: body)
  ]

  static func body(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let server = try await nodes.lua(IdleCase.script)
    let count = min(parameters.connections / parameters.divisor, Machine.raiseDescriptorLimit() - 200)
    let dialer = try DialerProcess(port: await server.node.address!.port!, count: count)
    defer { dialer.end() }
    try await until("the first connection") { await server.node.counts.connected > 0 }
    let start = Machine.seconds
    let first = await server.node.counts.connected
    try await dialer.all { await server.node.counts.connected }
    return Measurement(value: Double(count - first) / (Machine.seconds - start), number: count, checked: count)
  }
}
