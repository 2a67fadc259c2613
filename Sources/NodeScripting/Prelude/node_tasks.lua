-- node:spawn and what waits for tasks.
local host = ...
local text, tasks, queues, check = host.lib.text, host.lib.tasks, host.lib.queue, host.lib.node_handle.check

local methods = {}

function methods.spawn(node, fn, ...)
  check(node, "spawn")
  text.check(fn, "function", "node:spawn: the first argument", 2)
  return tasks.spawn(fn, ...)
end

function methods.timeout(node, duration, fn, ...)
  check(node, "timeout")
  local seconds = text.duration(duration, "node:timeout", 2)
  text.check(fn, "function", "node:timeout: the second argument", 2)
  return tasks.timeout(seconds, fn, ...)
end

function methods.all(node, ...)
  check(node, "all")
  return tasks.all(...)
end

function methods.any(node, ...)
  check(node, "any")
  return tasks.any(...)
end

function methods.queue(node, bound)
  check(node, "queue")
  local queue = queues.new(bound, 2)
  return queue
end

return { methods = methods }
