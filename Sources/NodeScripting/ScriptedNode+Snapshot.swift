import LuaHost
public import NodeEngine

/// What is counted of a node and of its script's VM, as it was at one moment.
public struct ScriptedNodeSnapshot: Sendable {
  /// The node's own.
  public var node: NodeSnapshot
  /// Bytes that Lua has in use, in all generations of the code, garbage that is not collected yet included.
  public var luaMemory: Int
  /// The cap of each generation, `script_memory`; 0: none.
  public var luaMemoryLimit: Int
  /// Hooks, tasks and calls that wait for something.
  public var waitingRuns: Int
  /// How many generations of the code there are: the one in force, and those that may come back or have connections left.
  public var generations: Int
}

extension ScriptedNode {
  /// All that is counted of the node, as it is now. Hooks are timed from the first call on: take one before ``start()`` to
  /// have them all.
  public func snapshot() async -> ScriptedNodeSnapshot {
    await withCheckedContinuation { continuation in
      withSnapshot { continuation.resume(returning: $0) }
    }
  }

  /// As ``snapshot()``; called on the node's loop, which may be busy for as long as its script may run.
  public func withSnapshot(_ body: @escaping @Sendable (ScriptedNodeSnapshot) -> Void) {
    node.scheduler.execute { [self] in
      let all = generations.value.all.map(\.runtime)
      body(
        ScriptedNodeSnapshot(
          node: node.snapshotOnLoop(), luaMemory: all.reduce(0) { $0 + $1.vm.memoryUsed },
          luaMemoryLimit: generations.value.current.runtime.vm.limits.memory,
          waitingRuns: all.reduce(0) { $0 + $1.parked.count }, generations: all.count))
    }
  }
}
