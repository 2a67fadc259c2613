-- The files that `require` loads, which may wait: a module's top level runs in the task that asks for it first; others
-- wait for it.
--
-- require(name) → the module's value; `name` with dots. Blames the caller's caller.
local host = ...
local text = host.lib.text
local ipairs, setmetatable = ipairs, setmetatable
local current_task, park, wake = host.task.current, host.task.park, host.task.wake

local M = {}
local loaded, loading = {}, {}
local innermost = {} -- task → the module whose top level it is running
local awaited = {} -- task → the module of another task it waits for

-- Wakes whoever waited for a module that has now ended its top level, well or not.
local function finish(name)
  local waiting = loading[name].waiting
  loading[name] = nil
  for _, id in ipairs(waiting) do wake(id) end
end

-- The modules from `name` on, each required by the one before, when waiting for it would mean to wait for this task:
-- its loader is in the middle of another module, perhaps waits for a third one, and so on back to `task`.
local function circle_through(name, task)
  local chain = {}
  while name and loading[name] do
    local loader = loading[name].task
    -- From the loader's innermost module up to `name`: the order in which they were required.
    local part, module = {}, innermost[loader]
    while module and module ~= name do
      table.insert(part, 1, module)
      module = loading[module].parent
    end
    chain[#chain + 1] = name
    table.move(part, 1, #part, #chain + 1, chain)
    if loader == task then return chain end
    name = awaited[loader]
  end
end

local function run_top_level(name, task)
  local chunk, path = host.module.load(name)
  local parent = innermost[task]
  loading[name] = { task = task, parent = parent, waiting = {} }
  innermost[task] = name
  -- A to-be-closed guard and no pcall, so that the traceback of an error shows the module's own lines.
  local guard <close> = setmetatable({}, {
    __close = function()
      innermost[task] = parent
      finish(name)
    end,
  })
  local value = chunk(name, path)
  if value == nil then value = true end
  loaded[name] = value
  return guard and value
end

local Wait = { __close = function(wait) awaited[wait.task] = nil end }

-- Waits until a module that another task loads is there, or has failed.
local function await(name, task)
  local wait <close> = setmetatable({ task = task }, Wait)
  awaited[wait.task] = name
  table.insert(loading[name].waiting, task)
  local which = loading[name]
  while loading[name] == which do park() end
end

function M.require(name)
  local value = loaded[name]
  if value ~= nil then return value end
  local task = current_task()
  while loading[name] do
    local circle = circle_through(name, task)
    if circle then
      text.fail("load", "modules require each other in a circle: " .. table.concat(circle, " -> ") .. " -> " .. name, 3)
    end
    await(name, task)
    if loaded[name] ~= nil then return loaded[name] end
  end
  return run_top_level(name, task)
end

return M
