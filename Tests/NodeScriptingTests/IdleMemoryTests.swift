import LuaHost
import NodeEngine
import Testing

@testable import NodeScripting

/// What a node holds of Lua when it has started and does nothing.
struct IdleMemoryTests {
  private static let script = """
    local codec = require "moonpeer.codec"
    return {
      codec = codec.length_prefixed(),
      init = function(node) node.state.count = 0 end,
      handshake = function() end,
      on_connect = function() end,
      process_message = function(node) node.state.count = node.state.count + 1 end,
      on_disconnect = function() end,
      on_shutdown = function() end,
      calls = { count = function(node) return node.state.count end },
    }
    """

  /// Of these, Lua's own state and libraries are 13 KB. What grows here grows with every node of a process.
  private static let ceiling = 28 << 10

  @Test func `A small script with all hooks holds less than 28 KiB of Lua once it has started`() async throws {
    try await withNode(Self.script) { node in
      let used = await memoryUsed(node)
      #expect(used < Self.ceiling, "\(used) bytes are in use")
    }
  }

  @Test func `A node that has started holds no idle coroutine`() async throws {
    try await withNode(Self.script) { node in
      let idle = await onLoop(of: node) { node.hooks.value.runtime.idle.count }
      #expect(idle == 0)
    }
  }

  private func memoryUsed(_ node: ScriptedNode) async -> Int {
    await onLoop(of: node) { node.hooks.value.runtime.vm.memoryUsed }
  }

  private func onLoop<T: Sendable>(of node: ScriptedNode, _ body: @escaping @Sendable () -> T) async -> T {
    let scheduler = node.node.scheduler
    return await withCheckedContinuation { continuation in
      scheduler.execute { continuation.resume(returning: body()) }
    }
  }
}
