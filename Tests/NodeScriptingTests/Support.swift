import Logging
import LuaHost
import NodeEngine
import NodeScripting

/// Loads and starts a node from script text, on real sockets.
func makeNode(
  _ text: String, name: String? = nil, logger: Logger = Logger(label: "moonpeer"),
  _ change: (inout ScriptOptions) -> Void = { _ in }, directory: NodeDirectory? = nil
) async throws -> ScriptedNode {
  var options = ScriptOptions()
  options.name = name
  change(&options)
  let node = try await ScriptedNode.load(
    ScriptSource(name: "test.lua", text: text), options: options, environment: Backend.current.environment(logger: logger),
    directory: directory)
  try await node.start()
  return node
}

/// Runs the body with a started node and shuts it down afterwards, whatever happens.
func withNode<T>(
  _ text: String, name: String? = nil, logger: Logger = Logger(label: "moonpeer"),
  _ change: (inout ScriptOptions) -> Void = { _ in }, directory: NodeDirectory? = nil, _ body: (ScriptedNode) async throws -> T
) async throws -> T {
  let node = try await makeNode(text, name: name, logger: logger, change, directory: directory)
  do {
    let result = try await body(node)
    await node.shutDown()
    return result
  } catch {
    await node.shutDown()
    throw error
  }
}

/// Runs the body on the node's loop, where everything of its script belongs.
func onLoop<T: Sendable>(of node: ScriptedNode, _ body: @escaping @Sendable () -> T) async -> T {
  let scheduler = node.node.scheduler
  return await withCheckedContinuation { continuation in
    scheduler.execute { continuation.resume(returning: body()) }
  }
}
