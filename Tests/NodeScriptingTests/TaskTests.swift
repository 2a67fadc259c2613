import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// What runs on its own: how it ends, who hears of it.
@Suite(.serialized, .timeLimit(.minutes(5))) struct TaskTests {
  @Test func `join returns what the function returned, to everyone who asks, whenever they ask`() async throws {
    try await inNode(
      """
      local task = node:spawn(function(a, b) node:sleep(0.001) return a + b, nil, "x" end, 1, 2)
      local other = node:spawn(function() return task:join() end)
      local sum, none, x = task:join()
      eq(sum, 3) eq(none, nil) eq(x, "x") eq(select("#", task:join()), 3)
      eq(other:join(), 3)
      eq(task.status, "finished")
      """)
  }

  @Test func `A task says what it is doing`() async throws {
    try await inNode(
      """
      local inside
      local task
      task = node:spawn(function() inside = task.status node:sleep("1h") end)
      eq(task.status, "running")
      node:sleep(0)
      eq(inside, "running") eq(task.status, "waiting")
      eq(task:cancel(), true)
      eq(kind_of(task.join, task), "cancelled") eq(task.status, "cancelled")
      eq(task:cancel(), false)
      local failed = node:spawn(function() error "no" end)
      raised(failed.join, failed)
      eq(failed.status, "failed")
      """)
  }

  @Test func `A joined task's error arrives as it was raised, and is not logged`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      """
      local mark = { kind = "mine", n = 7 }
      local task = node:spawn(function() node:sleep(0) error(mark) end)
      eq(raised(task.join, task), mark)
      has(raised(node.timeout, node, 5, function() error "words" end), "test.lua:")
      local none = node:spawn(function() error(nil) end)
      eq(select("#", pcall(none.join, none)), 2) eq(none.status, "failed")
      """, logger: recorder.logger)
    #expect(recorder.lines.filter { $0.level == .error }.isEmpty)
  }

  @Test func `An unjoined task's error is logged with its place and counted, and can still be joined`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      """
      local mark = { kind = "mine", message = "lost and found" }
      local task = node:spawn(function() error(mark) end)
      eventually(node, function() return task.status == "failed" end)
      eq(node:heuristics().script_errors, 1)
      eq(raised(task.join, task), mark)
      local text = node:spawn(function() error "in words" end)
      eventually(node, function() return text.status == "failed" end)
      has(raised(text.join, text), "in words")
      """, logger: recorder.logger)
    let errors = recorder.lines.filter { $0.level == .error }
    #expect(errors.count == 2)
    #expect(errors.first?.message.contains("lost and found") == true)
    #expect(errors.last?.message.contains("test.lua:") == true)
    #expect(errors.last?.message.contains("in task") == true)
  }

  @Test func `Leaving the block of a closed task cancels it`() async throws {
    try await inNode(
      """
      local ended
      do
        local task <close> = node:spawn(function()
          local guard <close> = setmetatable({}, { __close = function() ended = true end })
          node:sleep("1h")
        end)
        node:sleep(0)
      end
      eventually(node, function() return ended end)
      local kept
      do local done <close> = node:spawn(function() return 5 end) done:join() kept = done end
      eq(kept.status, "finished") eq(kept:join(), 5)
      """)
  }

  @Test func `A task that is cancelled before it starts never runs`() async throws {
    try await inNode(
      """
      local ran = false
      local task = node:spawn(function() ran = true end)
      eq(task:cancel(), true) eq(task.status, "cancelled")
      node:sleep(0) node:sleep(0)
      eq(ran, false) eq(kind_of(task.join, task), "cancelled")
      """)
  }

  @Test func `A cancelled task may clean up, wait in it, and even go on`() async throws {
    try await inNode(
      """
      local steps = {}
      local task = node:spawn(function()
        local ok, cause = pcall(node.sleep, node, "1h")
        steps[#steps + 1] = cause.kind
        node:sleep(0)
        steps[#steps + 1] = "after"
        return "done"
      end)
      node:sleep(0)
      task:cancel()
      eq(task:join(), "done") eq(table.concat(steps, ","), "cancelled,after") eq(task.status, "finished")
      -- One that is cancelled while it runs meets the error at its next wait, once.
      local own
      own = node:spawn(function()
        own:cancel()
        local first = kind_of(node.sleep, node, 0)
        node:sleep(0)
        return first
      end)
      eq(own:join(), "cancelled")
      """)
  }

  @Test func `The error value reaches close handlers on its way out`() async throws {
    try await inNode(
      """
      local seen
      local mark = { kind = "mine" }
      local task = node:spawn(function()
        local guard <close> = setmetatable({}, { __close = function(_, cause) seen = cause end })
        error(mark)
      end)
      eq(raised(task.join, task), mark) eq(seen, mark)
      """)
  }

  @Test func `A task cannot wait for itself, and wrong uses name themselves`() async throws {
    try await inNode(
      """
      local task
      task = node:spawn(function() task:join() end)
      has(raised(task.join, task), "a task cannot wait for itself")
      has(raised(node.spawn, node), "node:spawn: the first argument must be a function, got nothing")
      has(raised(node.spawn, function() end), "call it with a colon")
      has(raised(task.join), "task:join: call it with a colon, on a task; got nothing")
      has(raised(function() return task.joined end), 'a task has no "joined"; did you mean "join"?')
      has(raised(function() node:spawn(5) end), "test.lua:")
      """)
  }

  @Test func `A task over its budget fails its joiner, and the node lives on`() async throws {
    try await inNode(
      """
      local task = node:spawn(function() while true do end end)
      eq(kind_of(task.join, task), "budget") eq(task.status, "failed")
      eq(node:heuristics().budget_kills, 1)
      local alone = node:spawn(function() while true do end end)
      eventually(node, function() return node:heuristics().budget_kills == 2 end)
      eq(alone.status, "failed") eq(kind_of(alone.join, alone), "budget")
      """
    ) { $0.configuration = [("script_time", .string("50ms"))] }
  }
}
