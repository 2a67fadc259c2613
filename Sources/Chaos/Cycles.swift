import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Connects and disconnects in great number between two scripts: descriptors and memory have to stay as they are.
struct Cycles: Sendable {
  /// On each backend.
  let count: Int
  /// What may come and go between two looks: a free list that is fuller, a table that has grown to its next size.
  static let slack = 256 << 10
  /// Descriptors that Swift's runtime opens once, when it first needs them. One for each cycle would be far more.
  static let runtimesOwn = 6

  private static let script = """
    return {
      config = { idle_timeout = 0, max_connections_per_ip = 100 },
      handshake = function(node, conn) conn:write("hello") return conn:read(5) end,
      on_connect = function(node, conn) node.state.on = (node.state.on or 0) + 1 conn:send("x") end,
      on_disconnect = function(node) node.state.off = (node.state.off or 0) + 1 end,
      process_message = function() end,
      calls = {
        cycle = function(node, addresses, count)
          for i = 1, count do
            local conn, problem = node:connect(addresses[i % #addresses + 1])
            -- The system may have no local port left for a moment: those of the last minute wait.
            if conn then node:disconnect(conn) else node:sleep("1ms") end
          end
        end,
        pairs = function(node) return node.state.on or 0, node.state.off or 0 end,
        collect = function() collectgarbage() end,
      },
    }
    """

  func run() async throws {
    let backends = Backends()
    for kind in Backends.Kind.allCases { try await run(kind, backends) }
    say("CYCLES PASSED")
  }

  private func run(_ kind: Backends.Kind, _ backends: Backends) async throws {
    var logger = Logger(label: "cycles")
    logger.logLevel = .critical
    var options = ScriptOptions()
    // Several addresses, each with all the ports of its own.
    options.defaults.listen = try (1...8).map { try PeerAddress(parsing: "127.0.0.\($0):0") }
    options.defaults.ioLoops = kind == .epollWithIOLoops ? 2 : 0
    let source = ScriptSource(name: "cycles.lua", text: Self.script)
    let server = try await ScriptedNode.load(source, options: options, environment: backends.environment(kind, logger))
    options.defaults.listen = []
    let client = try await ScriptedNode.load(source, options: options, environment: backends.environment(kind, logger))
    try await server.start()
    try await client.start()
    let addresses = LuaValue.table(LuaTable(array: await server.node.addresses.map { LuaValue("\($0)") }))
    var looks: [Resources] = []
    for tenth in 1...10 {
      _ = try await client.call("cycle", [addresses, .integer(Int64(count / 10))])
      for node in [server, client] { try await quiet(node) }
      looks.append(await settled(looks.first))
      say("\(kind): \(tenth * count / 10) cycles: \(looks.last!)")
    }
    try check(looks, kind)
    for node in [client, server] {
      let pairs = try await node.call("pairs").compactMap(\.int)
      guard pairs.count == 2, pairs[0] == pairs[1], pairs[0] >= count / 2 else {
        throw Failure("\(kind): on_connect and on_disconnect ran \(pairs) times in \(count) cycles")
      }
      await node.shutDown()
    }
  }

  private func quiet(_ node: ScriptedNode) async throws {
    while await node.node.counts != (0, 0) { await Task.yield() }
    _ = try await node.call("collect")
  }

  /// A closed socket waits up to a second for its peer's end: a look that finds more descriptors than the first looks again.
  private func settled(_ first: Resources?) async -> Resources {
    var now = Resources.now
    for _ in 0..<200 {
      guard let first, now.descriptors > first.descriptors + Self.runtimesOwn else { break }
      try? await Task.sleep(for: .milliseconds(20))
      now = .now
    }
    return now
  }

  /// The first tenth fills what is kept for later; from then on nothing may grow.
  private func check(_ looks: [Resources], _ kind: Backends.Kind) throws {
    let first = looks[1]
    let last = looks[9]
    guard last.descriptors <= first.descriptors + Self.runtimesOwn else {
      throw Failure("\(kind): the descriptors grew from \(first.descriptors) to \(last.descriptors)")
    }
    guard last.heap <= first.heap + Self.slack else {
      throw Failure("\(kind): the heap grew from \(first.heap) to \(last.heap) bytes")
    }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = "CYCLES FAILED: \(description)" }
  }
}
