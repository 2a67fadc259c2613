public import NodeScripting

/// Starts a node, runs the body with it and shuts it down afterwards, whatever happens.
public func withStarted<T>(_ node: ScriptedNode, _ body: (ScriptedNode) async throws -> T) async throws -> T {
  do {
    try await node.start()
    let result = try await body(node)
    await node.shutDown()
    return result
  } catch {
    await node.shutDown()
    throw error
  }
}
