-- Tasks: functions that run on their own and can be waited for and cancelled.
local host = ...
local text, waiting = host.lib.text, host.lib.waiting
local error, type, getmetatable, setmetatable, ipairs = error, type, getmetatable, setmetatable, ipairs
local pack, unpack = table.pack, table.unpack
local task_natives, new_error = host.task, host.error.new
local current, wake = task_natives.current, task_natives.wake

local M = {}
local methods = {}

-- For a task that is over without a word: not even its guard could run.
local function over_budget()
  return new_error("budget", "the task ran over its budget")
end

-- `state` is nil until the task is over; then "finished" with `values`, or "failed" or "cancelled" with `cause`.
-- `local task <close> = node:spawn(…)` cancels what still runs when the block is left.
local Task = { __name = "task", __plain = false }
text.complete("a task", methods, { "state", "values", "cause", "waiters", "watched", "started", "cancelling" })
local statuses = { parked = "waiting", running = "running" }
local fail

function Task.__index(task, key)
  if key ~= "status" then return methods[key] end
  local status = statuses[task_natives.status(task.id)]
  if not status then fail(task, over_budget()) end
  return task.state or status
end

function Task.__close(task)
  if not task.state then methods.cancel(task) end
end

function M.is_task(value)
  return getmetatable(value) == Task
end

function fail(task, cause)
  if task.state then return end
  task.state = task.cancelling and "cancelled" or "failed"
  task.cause = cause ~= nil and cause or new_error("cancelled", "the task was ended")
end

-- Notes an error on its way out and lets it go on: the host logs it, with its traceback, if no one watches the task.
-- What ends a run over its budget is a mark of the host's, and no value to hand on: the host tells it to who watches.
local Guard = { __close = function(guard, cause)
  if type(cause) ~= "userdata" then fail(guard.task, cause) end
end }

local function keep(task, ...)
  task.values, task.state = pack(...), "finished"
end

local function run(task, fn, ...)
  task.started = true
  local guard <close> = setmetatable({ task = task }, Guard)
  keep(guard.task, fn(...))
end

function M.spawn(fn, ...)
  local task = setmetatable({}, Task)
  task.id = task_natives.spawn(run, task, fn, ...)
  return task
end

local function wake_waiters(task)
  local waiters = task.waiters
  task.waiters = nil
  for _, id in ipairs(waiters or {}) do wake(id) end
end

-- From here on the task's error is ours to hand over, and the host does not log it.
local function watch(task)
  if task.watched or task.state then return end
  task.watched = task_natives.on_end(task.id, function(ok, cause)
    if not ok then fail(task, cause) end
    wake_waiters(task)
  end)
  if not task.watched then fail(task, over_budget()) end
end

local function await_by(task, id)
  watch(task)
  local waiters = task.waiters or {}
  waiters[#waiters + 1] = id
  task.waiters = waiters
end

local function result(task)
  if task.state == "finished" then return unpack(task.values, 1, task.values.n) end
  error(task.cause, 0)
end

-- join() → what the function returned; raises what it raised, as it was raised.
function methods.join(task)
  if not M.is_task(task) then error("task:join: call it with a colon, on a task; got " .. text.got(task), 2) end
  if not task.state then
    local id = current()
    if id == task.id then error("task:join: a task cannot wait for itself", 2) end
    await_by(task, id)
    while not task.state do waiting.park(id) end
  end
  return result(task)
end

-- cancel() → whether there was anything left to cancel. Where the task waits, an error of kind `cancelled` is raised.
function methods.cancel(task)
  if not M.is_task(task) then error("task:cancel: call it with a colon, on a task; got " .. text.got(task), 2) end
  if task.state then return false end
  watch(task)
  task.cancelling = true
  local is_cancelled = task_natives.cancel(task.id, "cancelled", "the task was cancelled")
  if is_cancelled and not task.started then
    fail(task, new_error("cancelled", "the task was cancelled"))
    wake_waiters(task)
  end
  return is_cancelled
end

-- timeout(seconds, fn): runs fn as a task of its own and returns what it returns.
function M.timeout(seconds, fn, ...)
  local id, deadline = current(), waiting.deadline(seconds)
  local child <close> = M.spawn(fn, ...)
  await_by(child, id)
  while not child.state do
    if waiting.is_over(deadline) then
      error(new_error("timeout", text.format("it took longer than %g s", seconds)), 0)
    end
    waiting.park(id, deadline)
  end
  return result(child)
end

local Group = { __close = function(group) for _, task in ipairs(group.own) do Task.__close(task) end end }

-- The tasks to wait for, from functions (made into tasks here, and cancelled when they are not needed any more) and
-- from tasks (left alone).
local function group_of(what, ...)
  local list = pack(...)
  local first = list[1]
  local as_list = list.n == 1 and type(first) == "table" and not M.is_task(first)
  if as_list then list = pack(unpack(first)) end
  for i = 1, list.n do
    if type(list[i]) ~= "function" and not M.is_task(list[i]) then
      error(text.format("%s: functions and tasks are expected, argument %d is %s", what, i, text.got(list[i])), 3)
    end
  end
  local group = { tasks = {}, own = {}, as_list = as_list }
  for i = 1, list.n do
    local task = list[i]
    if type(task) == "function" then
      task = M.spawn(task)
      group.own[#group.own + 1] = task
    end
    group.tasks[i] = task
  end
  return setmetatable(group, Group)
end

local function await_all(group, id)
  for _, task in ipairs(group.tasks) do
    if not task.state then await_by(task, id) end
  end
end

-- all(…) → the first result of each, in order; raises the first error, and cancels the rest. A list of functions gives
-- a list of results.
function M.all(...)
  local id = current()
  local group <close> = group_of("node:all", ...)
  await_all(group, id)
  while true do
    local waits = false
    for _, task in ipairs(group.tasks) do
      if task.state and task.state ~= "finished" then error(task.cause, 0) end
      waits = waits or not task.state
    end
    if not waits then break end
    waiting.park(id)
  end
  local results = {}
  for i, task in ipairs(group.tasks) do results[i] = task.values[1] end
  if group.as_list then return results end
  return unpack(results, 1, #group.tasks)
end

-- any(…) → what the first one to finish returns, and cancels the rest; raises the first one's error if all fail.
function M.any(...)
  local id = current()
  local group <close> = group_of("node:any", ...)
  if #group.tasks == 0 then error("node:any: there is nothing to wait for", 2) end
  await_all(group, id)
  while true do
    local waits = false
    for _, task in ipairs(group.tasks) do
      if task.state == "finished" then return result(task) end
      waits = waits or not task.state
    end
    if not waits then error(group.tasks[1].cause, 0) end
    waiting.park(id)
  end
end

return M
