import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import NodeSupport

/// Runs the body with a script of ours listening on a free port of 127.0.0.1.
func withScript(
  _ path: String, _ arguments: [String: LuaValue] = [:], _ body: (ScriptedNode, _ port: String) async throws -> Void
) async throws {
  var options = ScriptOptions()
  options.arguments = arguments
  // Every client here has the same address.
  options.defaults.maxConnectionsPerIP = 1000
  var logger = Logger(label: "moonpeer")
  logger.logLevel = .error
  try await withLoops { loops in
    let node = try await ScriptedNode.load(
      .file(Repository.path(path)), options: options, environment: .sockets(on: loops, logger: logger))
    try await withStarted(node) { node in
      guard case .ip(_, let port)? = await node.node.address else { throw Tool.Missing(description: "\(path) does not listen") }
      try await body(node, "\(port)")
    }
  }
}

/// Looks again and again until it holds, for at most ten seconds.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
  let clock = ContinuousClock()
  let deadline = clock.now + .seconds(60)
  while clock.now < deadline {
    if try await condition() { return true }
    try await clock.sleep(for: .milliseconds(5))
  }
  return try await condition()
}
