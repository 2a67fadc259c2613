-- Tasks, timers and queues: everything that waits for another task, from park and wake.
local host = ...
local task, time = host.task, host.time
local new_error = host.error.new

local M = {}

-- Parks until `done()`; the wakers are whoever changes what it looks at.
local function wait_until(done)
  while not done() do task.park() end
end

local function wake_all(waiting)
  for i = 1, #waiting do
    task.wake(waiting[i])
    waiting[i] = nil
  end
end

-- Parks in a list of waiting tasks until `done()`.
local function wait_in(waiting, done)
  wait_until(function()
    if done() then return true end
    waiting[#waiting + 1] = task.current()
    return false
  end)
end

local Task = { __name = "task", __metatable = false }
local kept = setmetatable({}, { __mode = "k" }) -- task → what it came to

function Task.__index(self, key)
  if key == "status" then
    local state = kept[self]
    return state.ended and "ended" or task.status(state.id)
  end
  return rawget(Task, key)
end

-- Waits for its end and returns what it returned, or raises its error as it was.
function Task.join(self)
  local state = kept[self]
  if state.id == task.current() then error("task:join: a task cannot join itself", 2) end
  state.joined = true
  wait_in(state.waiting, function() return state.ended end)
  if not state.ok then error(state[1], 0) end
  return table.unpack(state, 1, state.n)
end

-- Raises an error of kind "cancelled" where it waits; false when it is over.
function Task.cancel(self)
  local state = kept[self]
  state.joined = true
  return not state.ended and task.cancel(state.id, "cancelled", "the task was cancelled")
end

function M.spawn(fn, ...)
  local state = { waiting = {} }
  local handle = setmetatable({}, Task)
  kept[handle] = state
  state.id = task.spawn(fn, ...)
  task.on_end(state.id, function(ok, ...)
    local values = table.pack(...)
    for i = 1, values.n do state[i] = values[i] end
    state.n, state.ok, state.ended = values.n, ok, true
    wake_all(state.waiting)
    -- Nobody asked by the time it ended: the error must not vanish. A later join still gets it.
    if not ok and not state.joined then task.report(...) end
  end)
  return handle
end

local Timer = { __name = "timer", __metatable = false }
Timer.__index = Timer

-- Whether it was still to come.
function Timer.cancel(self)
  local id = self.id
  self.id = nil
  self.cancelled = true
  return id ~= nil and time.cancel_timer(id)
end

function M.timer(seconds, fn, repeats, jitter)
  local handle = setmetatable({}, Timer)
  if not repeats then
    handle.id = time.timer(seconds, fn)
    return handle
  end
  local due = time.now() + seconds
  local function arm()
    -- A slow run skips the rounds it missed: they do not pile up.
    local now = time.now()
    if due < now then due = now + seconds - (now - due) % seconds end
    local wait = due - now + (jitter and time.random() * jitter or 0)
    handle.id = time.timer(wait, function()
      due = due + seconds
      local again <close> = setmetatable({}, { __close = function()
        if not handle.cancelled then arm() end
      end })
      return again and fn()
    end)
  end
  arm()
  return handle
end

-- fn as a task of its own; ended when the time is over.
function M.timeout(seconds, fn, ...)
  local child = M.spawn(fn, ...)
  local state = kept[child]
  state.joined = true
  local me, expired = task.current(), false
  local id = time.timer(seconds, function()
    expired = true
    task.wake(me)
  end)
  local guard <close> = setmetatable({}, { __close = function()
    time.cancel_timer(id)
    if not state.ended then task.cancel(state.id, "cancelled", "the task was cancelled") end
  end })
  wait_in(state.waiting, function() return state.ended or expired end)
  if not state.ended then error(new_error("timeout", ("no result within %g s"):format(seconds)), 0) end
  if not state.ok then error(state[1], 0) end
  return guard and table.unpack(state, 1, state.n)
end

local function tasks_of(what, ...)
  local list = table.pack(...)
  if list.n == 1 and type(list[1]) == "table" and not kept[list[1]] then
    list = list[1]
    list.n = #list
  end
  for i = 1, list.n do
    if type(list[i]) == "function" then list[i] = M.spawn(list[i]) end
    if not kept[list[i]] then error(("%s: tasks or functions are expected, got %s"):format(what, type(list[i])), 3) end
    kept[list[i]].joined = true
  end
  return list
end

-- Waits for all; the first result of each, in order. The first error cancels the others and is raised.
function M.all(...)
  local list = tasks_of("node:all", ...)
  local me, failed = {}, nil
  for i = 1, list.n do
    local state = kept[list[i]]
    wait_in(state.waiting, function()
      for j = 1, list.n do
        local other = kept[list[j]]
        if other.ended and not other.ok then failed = other end
        -- Any end may be the one that fails the whole: be woken by all of them.
        if not other.ended and other ~= state then other.waiting[#other.waiting + 1] = task.current() end
      end
      return failed ~= nil or state.ended
    end)
    if failed then break end
    me[i] = state[1]
  end
  if failed then
    for i = 1, list.n do list[i]:cancel() end
    error(failed[1], 0)
  end
  return table.unpack(me, 1, list.n)
end

-- Waits for the first that succeeds: its results; the others are cancelled. With none, the last error is raised.
function M.any(...)
  local list = tasks_of("node:any", ...)
  if list.n == 0 then error("node:any: at least one task is expected", 2) end
  local winner, failure
  local function look()
    local open = 0
    for i = 1, list.n do
      local state = kept[list[i]]
      if state.ended and state.ok then
        winner = state
        return true
      end
      if state.ended then failure = state else open = open + 1 end
    end
    return open == 0
  end
  wait_until(function()
    if look() then return true end
    for i = 1, list.n do
      local state = kept[list[i]]
      if not state.ended then state.waiting[#state.waiting + 1] = task.current() end
    end
    return false
  end)
  for i = 1, list.n do if kept[list[i]] ~= winner then list[i]:cancel() end end
  if not winner then error(failure[1], 0) end
  return table.unpack(winner, 1, winner.n)
end

local Queue = { __name = "queue", __metatable = false }
Queue.__index = Queue
function Queue.__len(self) return self.last - self.first + 1 end

function M.queue(bound)
  return setmetatable({ first = 1, last = 0, bound = bound or math.huge, getters = {}, putters = {}, closed = false },
    Queue)
end

-- false when it is full or closed
function Queue.try_put(self, value)
  if value == nil then error("queue:put: a value is expected, got nil", 2) end
  if self.closed or #self >= self.bound then return false end
  self.last = self.last + 1
  self[self.last] = value
  wake_all(self.getters)
  return true
end

-- Waits for room; true, or nil, "closed"
function Queue.put(self, value)
  if value == nil then error("queue:put: a value is expected, got nil", 2) end
  wait_in(self.putters, function() return self.closed or #self < self.bound end)
  if self.closed then return nil, "closed" end
  return self:try_put(value)
end

-- nil when there is none
function Queue.try_get(self)
  if #self == 0 then return nil end
  local value = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  wake_all(self.putters)
  return value
end

-- Waits for a value; nil, "closed" when the queue is closed and empty, nil, "timeout" after so long
function Queue.get(self, timeout)
  local expired, id = false, nil
  if timeout ~= nil then
    local seconds, me = host.text.duration(timeout, "queue:get: timeout"), task.current()
    id = time.timer(seconds, function()
      expired = true
      task.wake(me)
    end)
  end
  wait_in(self.getters, function() return #self > 0 or self.closed or expired end)
  if id then time.cancel_timer(id) end
  if #self > 0 then return self:try_get() end
  return nil, self.closed and "closed" or "timeout"
end

function Queue.items(self) return function() return (self:get()) end end

-- What is in it can still be taken.
function Queue.close(self)
  self.closed = true
  wake_all(self.getters)
  wake_all(self.putters)
end

return M
