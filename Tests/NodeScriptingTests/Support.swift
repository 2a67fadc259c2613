import Logging
import LuaHost
import NodeEngine
import NodeScripting
import NodeSupport

/// Loads a node from script text, on real sockets.
func loadNode(
  _ text: String, name: String? = nil, logger: Logger = Logger(label: "moonpeer"),
  _ change: (inout ScriptOptions) -> Void = { _ in }, directory: NodeDirectory? = nil, on loops: EpollLoops = .shared
) async throws -> ScriptedNode {
  var options = ScriptOptions()
  options.name = name
  change(&options)
  return try await ScriptedNode.load(
    ScriptSource(name: "test.lua", text: text), options: options,
    environment: Backend.current.environment(logger: logger, on: loops), directory: directory)
}

/// Runs the body with a started node and shuts it down afterwards, whatever happens.
func withNode<T>(
  _ text: String, name: String? = nil, logger: Logger = Logger(label: "moonpeer"),
  _ change: (inout ScriptOptions) -> Void = { _ in }, directory: NodeDirectory? = nil, _ body: (ScriptedNode) async throws -> T
) async throws -> T {
  try await withLoops { loops in
    try await withStarted(loadNode(text, name: name, logger: logger, change, directory: directory, on: loops), body)
  }
}

/// Runs the body on the node's loop, where everything of its script belongs.
func onLoop<T: Sendable>(of node: ScriptedNode, _ body: @escaping @Sendable () -> T) async -> T {
  let scheduler = node.node.scheduler
  return await withCheckedContinuation { continuation in
    scheduler.execute { continuation.resume(returning: body()) }
  }
}
