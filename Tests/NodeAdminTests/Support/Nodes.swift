import Logging
import LuaHost
import NodeEngine
import NodeScripting
import NodeSupport

/// Runs the body with a started node of that script, and shuts it down afterwards.
@discardableResult
func withNode<T>(
  _ text: String, name: String = "anna", tap: (any TrafficTap)? = nil, directory: NodeDirectory? = nil,
  unixSockets: [String] = [],
  _ body: (ScriptedNode) async throws -> T
) async throws -> T {
  var options = ScriptOptions()
  options.name = name
  options.unixSockets = unixSockets
  return try await withLoops { loops in
    var environment = NodeEnvironment.sockets(on: loops)
    environment.logger.logLevel = .critical
    environment.tap = tap
    let node = try await ScriptedNode.load(
      ScriptSource(name: "test.lua", text: text), options: options, environment: environment, directory: directory)
    _ = await node.snapshot()
    return try await withStarted(node, body)
  }
}

extension ScriptedNode {
  /// The first result of Lua code run inside the node.
  @discardableResult
  func lua(_ code: String, _ arguments: LuaValue...) async throws -> LuaValue {
    try await evaluate(code, arguments).first ?? .nil
  }

  var at: LuaValue { get async { LuaValue("\(await node.address!)") } }
}

/// Looks again and again until the condition holds; only a hang reaches the bound.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < end else { throw NotSo(description: "waited too long for: \(what)") }
    try await Task.sleep(for: .milliseconds(2))
  }
}
