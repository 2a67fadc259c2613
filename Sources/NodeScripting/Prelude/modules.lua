-- `require` that may wait: a module's top level runs in the task that asks for it first; others wait for it.
local host = ...
local new_error = host.error.new
local getmetatable, setmetatable, type = getmetatable, setmetatable, type

local loaded, loading = {}, {}

-- Wakes whoever waited for a module that has now ended its top level, well or not.
local function finish(name)
  local waiting = loading[name].waiting
  loading[name] = nil
  for _, id in ipairs(waiting) do host.task.wake(id) end
end

-- The chain of modules a task is in the middle of, for the message about a circle.
local function chain_of(name, task)
  local chain, current = { name }, loading[name].parent
  while current and loading[current] and loading[current].task == task do
    table.insert(chain, 1, current)
    current = loading[current].parent
  end
  chain[#chain + 1] = name
  return table.concat(chain, " -> ")
end

local innermost = {} -- task → the module whose top level it is running

local function run_top_level(name, task)
  local chunk, path = host.module.load(name)
  loading[name] = { task = task, parent = innermost[task], waiting = {} }
  innermost[task] = name
  local parent = loading[name].parent
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

-- A name that a shipped module lacks is a mistake, found where it is made and not where the nil is called.
local function guarded(name, module)
  if type(module) ~= "table" or getmetatable(module) ~= nil then return module end
  return setmetatable(module, {
    __index = function(_, key)
      local text = host.lib.text
      error(("%s has no %s%s"):format(name, text.got(key), (text.hint(key, text.sorted_keys(module)))), 2)
    end,
  })
end

return function(name)
  if type(name) ~= "string" then
    error("require: a module's name is expected, got " .. type(name), 2)
  end
  local value = loaded[name]
  if value ~= nil then return value end
  value = host.module.shipped(name)
  if value ~= nil then
    loaded[name] = guarded(name, value)
    return value
  end
  local task = host.task.current()
  while loading[name] do
    if loading[name].task == task then
      error(new_error("load", "modules require each other in a circle: " .. chain_of(name, task)), 2)
    end
    table.insert(loading[name].waiting, task)
    host.task.park()
    if loaded[name] ~= nil then return loaded[name] end
  end
  return run_top_level(name, task)
end
