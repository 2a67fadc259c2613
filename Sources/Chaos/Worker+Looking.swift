import NodeCore
import NodeEngine
import NodeScripting

/// The watchdogs that ask the nodes themselves: limits, what has to agree, Lua's memory.
extension Worker {
  mutating func look() async {
    guard let node = world.anyNode(&generator) else { return await Task.yield() }
    let wrong = await watch("look", node.description) { await Self.problem(of: node) }
    if let wrong { world.verdict.fail("\(name): \(node.description): \(wrong)") }
  }

  /// What is not as it must be at every moment, or nil.
  static func problem(of node: ChaosNode) async -> String? {
    if let wrong = await node.node.inconsistency() { return wrong }
    let limits = node.configuration
    let counts = await node.node.counts
    if counts.connected + counts.connecting > limits.maxConnections {
      return "\(counts) connections, of at most \(limits.maxConnections)"
    }
    if counts.connecting > limits.maxConnecting { return "\(counts.connecting) set-ups, of at most \(limits.maxConnecting)" }
    var perIP: [IPAddress: Int] = [:]
    var perSubnet: [[UInt8]: Int] = [:]
    for ip in await node.node.connections().compactMap(\.address.ip) {
      perIP[ip, default: 0] += 1
      perSubnet[Array(ip.bytes.prefix(3)), default: 0] += 1
    }
    if let most = perIP.values.max(), most > limits.maxConnectionsPerIP {
      return "\(most) connections of one address, of at most \(limits.maxConnectionsPerIP)"
    }
    if let limit = limits.maxConnectionsPerSubnet, let most = perSubnet.values.max(), most > limit {
      return "\(most) connections of one subnet, of at most \(limit)"
    }
    guard let scripted = node.scripted else { return nil }
    let snapshot = await scripted.snapshot()
    // Finished code may need its last words, and shipped Lua a little more, to leave things in order.
    let ceiling = (snapshot.luaMemoryLimit + 64 << 10) * snapshot.generations
    if snapshot.luaMemory > ceiling {
      return "\(snapshot.luaMemory) bytes of Lua in \(snapshot.generations) generations, of at most \(ceiling)"
    }
    if snapshot.generations > 2 + limits.maxConnections { return "\(snapshot.generations) generations of code" }
    return nil
  }
}
