-- Hand-over between tasks: first in, first out, bounded, so that who puts waits for who takes.
local host = ...
local text, waiting = host.lib.text, host.lib.waiting
local error, ipairs, setmetatable, getmetatable = error, ipairs, setmetatable, getmetatable
local remove = table.remove
local current, wake = host.task.current, host.task.wake

local default_bound = 1024

local methods = {}
local Queue = { __name = "queue", __plain = false, __index = text.complete("a queue", methods) }

function Queue.__len(queue) return queue.count end

-- Wakes whoever has waited longest, if it could go on. Called on every change and whenever a waiter leaves: one that
-- was woken may have been cancelled in between, and the next must not sleep through it.
local function wake_next(queue)
  if queue.getters[1] and (queue.count > 0 or queue.closed) then wake(queue.getters[1].id) end
  if queue.putters[1] and (queue.count < queue.bound or queue.closed) then wake(queue.putters[1].id) end
end

local Waiter = {
  __close = function(waiter)
    for i, other in ipairs(waiter.list) do
      if other == waiter then
        remove(waiter.list, i)
        break
      end
    end
    wake_next(waiter.queue)
  end,
}

local function enter(queue, list)
  local waiter = setmetatable({ id = current(), queue = queue, list = list }, Waiter)
  list[#list + 1] = waiter
  return waiter
end

local function push(queue, value)
  queue.last = queue.last + 1
  queue.values[queue.last] = value
  queue.count = queue.count + 1
end

local function pop(queue)
  local value = queue.values[queue.first]
  queue.values[queue.first] = nil
  queue.first = queue.first + 1
  queue.count = queue.count - 1
  return value
end

local function check(queue, name, value, is_put)
  if getmetatable(queue) ~= Queue then error("queue:" .. name .. ": call it with a colon, on a queue", 3) end
  if is_put and value == nil then error("queue:" .. name .. ": nil cannot be put into a queue", 3) end
end

-- put(value) → true, or nil, "closed"; parks while the queue is full.
function methods.put(queue, value)
  check(queue, "put", value, true)
  if queue.closed then return nil, "closed" end
  if queue.count >= queue.bound or queue.putters[1] then
    local waiter <close> = enter(queue, queue.putters)
    while not queue.closed and (queue.count >= queue.bound or queue.putters[1] ~= waiter) do waiting.park(waiter.id) end
    if queue.closed then return nil, "closed" end
    push(queue, value)
    return true
  end
  push(queue, value)
  wake_next(queue)
  return true
end

-- try_put(value) → true, or nil, "full" | "closed"
function methods.try_put(queue, value)
  check(queue, "try_put", value, true)
  if queue.closed then return nil, "closed" end
  if queue.count >= queue.bound or queue.putters[1] then return nil, "full" end
  push(queue, value)
  wake_next(queue)
  return true
end

-- get(timeout?) → the oldest value, or nil, "closed" (and empty) | "timeout"
function methods.get(queue, timeout)
  check(queue, "get")
  if queue.count > 0 and not queue.getters[1] then
    local value = pop(queue)
    wake_next(queue)
    return value
  end
  if queue.closed and queue.count == 0 then return nil, "closed" end
  local deadline
  if timeout ~= nil then deadline = waiting.deadline(text.duration(timeout, "queue:get: timeout", 2)) end
  local waiter <close> = enter(queue, queue.getters)
  while queue.count == 0 or queue.getters[1] ~= waiter do
    if queue.closed and queue.count == 0 then return nil, "closed" end
    if waiting.is_over(deadline) then return nil, "timeout" end
    waiting.park(waiter.id, deadline)
  end
  return pop(queue)
end

-- try_get() → the oldest value, or nil, "empty" | "closed"
function methods.try_get(queue)
  check(queue, "try_get")
  if queue.count == 0 then return nil, queue.closed and "closed" or "empty" end
  local value = pop(queue)
  wake_next(queue)
  return value
end

-- close(): no more puts; what is in it can still be taken.
function methods.close(queue)
  check(queue, "close")
  if queue.closed then return end
  queue.closed = true
  for _, waiter in ipairs(queue.getters) do wake(waiter.id) end
  for _, waiter in ipairs(queue.putters) do wake(waiter.id) end
end

-- len() → how many values are in it
function methods.len(queue)
  check(queue, "len")
  return queue.count
end

-- for value in queue:items() do … end: until the queue is closed and empty.
function methods.items(queue)
  check(queue, "items")
  return function() return (methods.get(queue)) end
end

local M = {}

-- new(bound = 1024)
function M.new(bound, level)
  if bound == nil then bound = default_bound end
  text.check(bound, "integer", "node:queue: the bound", level + 1)
  if bound < 1 then error("node:queue: the bound must be at least 1", level + 1) end
  return setmetatable({
    bound = bound, count = 0, first = 1, last = 0, closed = false, values = {}, getters = {}, putters = {},
  }, Queue)
end

return M
