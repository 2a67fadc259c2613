import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Hand-over between tasks, and waiting for several of them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct QueueTests {
  @Test func `First in, first out, whatever the values`() async throws {
    try await inNode(
      """
      local queue = node:queue()
      local t = {}
      queue:put(1) queue:put(false) queue:put(t)
      eq(#queue, 3) eq(queue:len(), 3)
      eq(queue:get(), 1) eq(queue:get(), false) eq(queue:get(), t)
      local none, why = queue:try_get() eq(none, nil) eq(why, "empty")
      has(raised(queue.put, queue, nil), "nil cannot be put into a queue")
      has(raised(node.queue, node, 0), "at least 1")
      has(raised(function() return queue.push end), 'a queue has no "push"')
      """)
  }

  @Test func `A full queue makes who puts wait, in the order they came`() async throws {
    try await inNode(
      """
      local queue, order = node:queue(2), {}
      queue:put("a") queue:put("b")
      local none, why = queue:try_put("x") eq(none, nil) eq(why, "full")
      for _, name in ipairs { "c", "d", "e" } do
        node:spawn(function() queue:put(name) order[#order + 1] = name end)
      end
      node:sleep(0) node:sleep(0)
      eq(#order, 0) eq(queue:len(), 2)
      local got = {}
      for i = 1, 5 do got[i] = queue:get() end
      eq(table.concat(got), "abcde")
      eventually(node, function() return #order == 3 end)
      eq(table.concat(order), "cde")
      """)
  }

  @Test func `Those who wait to take are served in the order they came`() async throws {
    try await inNode(
      """
      local queue, served = node:queue(), {}
      for i = 1, 3 do node:spawn(function() local v = queue:get() served[#served + 1] = i .. v end) node:sleep(0) end
      queue:put("x") queue:put("y")
      -- One that comes later does not overtake the one that waits.
      local last
      local late = node:spawn(function() last = queue:get() end)
      queue:put("z") queue:put("w")
      late:join()
      eventually(node, function() return #served == 3 end)
      eq(table.concat(served, " "), "1x 2y 3z") eq(last, "w")
      """)
  }

  @Test func `get gives up after its time, and what comes later stays`() async throws {
    try await inNode(
      """
      local queue = node:queue()
      local none, why = queue:get("2ms") eq(none, nil) eq(why, "timeout")
      none, why = queue:get(0) eq(none, nil) eq(why, "timeout")
      queue:put(5) eq(queue:get(0), 5)
      """)
  }

  @Test func `close wakes everyone; what is in it can still be taken`() async throws {
    try await inNode(
      """
      local queue, seen = node:queue(1), {}
      local getters = {}
      for i = 1, 3 do getters[i] = node:spawn(function() return select(2, queue:get()) end) end
      node:sleep(0)
      queue:close() queue:close()
      for i = 1, 3 do eq(getters[i]:join(), "closed") end
      local full = node:queue(1)
      full:put(1)
      local putter = node:spawn(function() return select(2, full:put(2)) end)
      node:sleep(0)
      full:close()
      eq(putter:join(), "closed")
      eq(select(2, full:put(3)), "closed") eq(select(2, full:try_put(3)), "closed")
      for value in full:items() do seen[#seen + 1] = value end
      eq(#seen, 1) eq(seen[1], 1) eq(select(2, full:get()), "closed") eq(select(2, full:try_get()), "closed")
      """)
  }

  @Test func `Many producers and consumers lose nothing and duplicate nothing`() async throws {
    try await inNode(
      """
      local queue, seen, producers, consumers = node:queue(3), {}, {}, {}
      local last = {}
      for p = 1, 8 do
        producers[p] = node:spawn(function()
          for i = 1, 50 do
            if node:random(3) == 1 then node:sleep(0) end
            queue:put({ p = p, i = i })
          end
        end)
      end
      for c = 1, 5 do
        consumers[c] = node:spawn(function()
          for item in queue:items() do
            local key = item.p .. ":" .. item.i
            assert(not seen[key], "twice: " .. key)
            seen[key] = true
            assert(item.i > (last[item.p] or 0), "a producer's values came out of order")
            last[item.p] = item.i
            if node:random(3) == 1 then node:sleep(0) end
          end
        end)
      end
      node:all(producers)
      queue:close()
      node:all(consumers)
      local count = 0
      for _ in pairs(seen) do count = count + 1 end
      eq(count, 400)
      """)
  }

  @Test func `A waiter that is cancelled hands its turn on`() async throws {
    try await inNode(
      """
      local queue = node:queue()
      local first = node:spawn(function() return queue:get() end)
      local second = node:spawn(function() return queue:get() end)
      node:sleep(0)
      queue:put("x")
      first:cancel()
      node:spawn(function() queue:put("y") end)
      local got = { pcall(first.join, first) }
      local other = second:join()
      -- Whoever of the two got the first value, none is lost.
      if got[1] then eq(got[2] .. other, "xy") else eq(other, "x") eq(queue:get(), "y") end
      """)
  }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct GroupTests {
  @Test func `all gives the results in order`() async throws {
    try await inNode(
      """
      local task = node:spawn(function() return "task" end)
      local a, b, c = node:all(function() node:sleep(0.002) return 1 end, function() return nil end, task)
      eq(a, 1) eq(b, nil) eq(c, "task")
      local list = node:all { function() return 1 end, function() return 2 end }
      eq(#list, 2) eq(list[2], 2)
      eq(select("#", node:all()), 0)
      eq(#node:all({}), 0)
      has(raised(node.all, node, 5), "node:all: functions and tasks are expected, argument 1 is integer 5")
      has(raised(function() node:all(print, {}) end), "test.lua:")
      """)
  }

  @Test func `all raises the first error and cancels the rest, but not tasks it was given`() async throws {
    try await inNode(
      """
      local mark, ended = {}, nil
      local given = node:spawn(function() node:sleep("1h") end)
      eq(raised(node.all, node,
        function() local ok, e = pcall(node.sleep, node, "1h") ended = e.kind error(e) end,
        function() node:sleep(0.001) error(mark) end, given), mark)
      eventually(node, function() return ended end)
      eq(ended, "cancelled") eq(given.status, "waiting")
      given:cancel()
      """)
  }

  @Test func `any gives the first result and cancels the rest; an error counts only when all fail`() async throws {
    try await inNode(
      """
      local ended
      local a, b = node:any(
        function() error "early" end,
        function() node:sleep(0.002) return "won", 2 end,
        function() local ok, e = pcall(node.sleep, node, "1h") ended = e.kind error(e) end)
      eq(a, "won") eq(b, 2)
      eventually(node, function() return ended end)
      eq(ended, "cancelled")
      local first = {}
      eq(raised(node.any, node, function() node:sleep(0.002) error(first) end, function() error "second" end), first)
      has(raised(node.any, node), "node:any: there is nothing to wait for")
      """)
  }
}
