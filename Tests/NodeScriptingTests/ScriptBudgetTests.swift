import LuaHost
import NodeCore
import NodeScripting
import Testing

/// A run over its budget costs that run: what waited for it goes on, and so does the node.
@Suite(.timeLimit(.minutes(5))) struct ScriptBudgetTests {
  @Test func `A task that runs over its budget ends for those who wait for it`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { script_time = '100ms' } }")
      let joined = await failure { try await node.lua("return node:spawn(function() while true do end end):join()") }
      #expect(joined != nil)
      let all = await failure { try await node.lua("return node:all(function() while true do pcall(error) end end)") }
      #expect(all != nil)
      #expect(
        try await node.lua("local t = node:spawn(function() while true do end end) pcall(t.join, t) return t.status") == "failed")
      #expect(try await node.lua("node:sleep(0.001) return 'alive'") == "alive")
    }
  }

  @Test func `The top level runs under its caller's limits, hooks under the script's own`() async throws {
    try await withNodes { nodes in
      let late = await failure {
        _ = try await nodes.load("while true do end") { $0.defaults.scriptTime = .milliseconds(50) }
      }
      #expect(late?.code == .budget)
      #expect(late?.location == "test.lua:1")
      let large = await failure {
        _ = try await nodes.load("big = ('x'):rep(4 << 20) return {}") { $0.defaults.scriptMemory = 1 << 20 }
      }
      #expect(large?.code == .budget)
      let node = try await nodes.start("return { config = { script_memory = '8MiB' } }") { $0.defaults.scriptMemory = 2 << 20 }
      #expect(try await node.lua("return #('x'):rep(2 << 20)") == .integer(2 << 20))
      let over = try await nodes.start("return { config = { script_memory = '8MiB' } }") {
        $0.configuration = [("script_memory", .string("2MiB"))]
      }
      let error = await failure { try await over.lua("return #('x'):rep(4 << 20)") }
      #expect(error?.code == .budget)
    }
  }

  @Test func `A mistake in a call has the author's line, whatever wrappers lie between`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return { calls = {
          listen = function(node)
            local x = node:listen('nonsense address')
          end,
          sort = function(node)
            table.sort({ 2, 1 }, function()
              node:sleep(1)
            end)
          end,
          inside = function(node)
            coroutine.wrap(function()
              node:sleep('soon')
            end)()
          end,
        } }
        """)
      for (call, line) in [("listen", 3), ("sort", 7), ("inside", 12)] {
        let error = await failure { _ = try await node.call(call) }
        #expect(error?.location == "test.lua:\(line)", "\(call): \(error?.message ?? "")")
      }
    }
  }
}
