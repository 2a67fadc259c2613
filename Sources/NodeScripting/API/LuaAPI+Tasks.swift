extension LuaAPI {
  package static let task = APIClass(
    name: "task", type: "moonpeer.Task",
    doc:
      "What `node:spawn` gives. `local task <close> = node:spawn(…)` cancels what still runs when the block is left.",
    fields: [
      field("status", "\"running\"|\"waiting\"|\"finished\"|\"failed\"|\"cancelled\"", "Where it stands.")
    ],
    methods: [
      function(
        "join", returns: [["...: any"]], waits: true,
        "Waits for the end: what the function returned; raises what it raised."),
      function(
        "cancel", returns: [["was_running: boolean"]],
        "Raises an error of kind `cancelled` where the task waits. False when it was over."),
    ])

  package static let timer = APIClass(
    name: "timer", type: "moonpeer.Timer", doc: "What `node:after` and `node:every` give; `<close>` cancels it.",
    methods: [
      function(
        "cancel", returns: [["was_pending: boolean"]],
        "No more ticks; one that runs goes on to its end. False when there was none to come.")
    ])

  package static let queue = APIClass(
    name: "queue", type: "moonpeer.Queue",
    doc: "What `node:queue` gives: first in, first out, bounded. `#queue` is how many values are in it.",
    methods: [
      function(
        "put", [argument("value", "any", "not nil")], returns: [["true"], ["nil", "why: \"closed\""]], waits: true,
        "Waits while the queue is full."),
      function(
        "try_put", [argument("value", "any", "not nil")], returns: [["true"], ["nil", "why: \"full\"|\"closed\""]],
        "As `put`, and never waits."),
      function(
        "get", [optional("timeout", "moonpeer.Duration", default: "none")],
        returns: [["value: any"], ["nil", "why: \"closed\"|\"timeout\""]], waits: true,
        "The oldest value; `closed` once the queue is closed and empty."),
      function(
        "try_get", returns: [["value: any"], ["nil", "why: \"empty\"|\"closed\""]], "As `get`, and never waits."),
      function("close", "No more puts; what is in it can still be taken."),
      function("len", returns: [["integer"]], "How many values are in it."),
      function(
        "items", returns: [["iterator: fun(): any"]],
        "For `for value in queue:items() do … end`: waits for each value, until the queue is closed and empty."),
    ], operators: ["len: integer"])

  static let tasksExample = """
    -- crew.lua
    return {
      init = function(node)
        local work = node:queue(16)
        local function worker()
          local done = 0
          for job in work:items() do done = done + job end
          return done
        end
        local first, second = node:spawn(worker), node:spawn(worker)
        for job = 1, 10 do work:put(job) end
        work:close()
        node.state.done = first:join() + second:join()
        local ticker = node:every("10s", function() print("still here") end)
        node:after("1m", function() ticker:cancel() end)
      end,
      process_message = function() end,
    }
    """
}
