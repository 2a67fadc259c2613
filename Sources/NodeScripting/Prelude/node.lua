-- The `node` handle. What it can do beside connections is in node_network.lua.
--
-- make(fields, config, prepared) → the handle: `fields` are name, id and args; `config` the settings the script may read;
--   `prepared` what script.lua made of the script. One per VM, so its fields stand behind its methods: the handle itself
--   is empty, and every assignment is seen.
-- start_timers(node, prepared.timers)      after init
local host = ...
local text, tasks, queues, timers = host.lib.text, host.lib.tasks, host.lib.queue, host.lib.timers
local network = host.lib.node_network
local error, getmetatable, ipairs, pairs, setmetatable = error, getmetatable, ipairs, pairs, setmetatable
local type, next, rawget, tostring = type, next, rawget, tostring
local time = host.time

local methods, fields, names = {}, {}, {}
local Node = { __name = "node", __plain = false, __index = methods }

local function check(node, name)
  if getmetatable(node) ~= Node then
    error(("node:%s: call it with a colon, on the node; got %s"):format(name, text.got(node)), 3)
  end
end

for name, method in pairs(network.methods) do
  methods[name] = function(node, ...)
    check(node, name)
    return method(...)
  end
end

-- Tasks

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

-- Time

function methods.sleep(node, duration)
  check(node, "sleep")
  return time.sleep(text.duration(duration, "node:sleep", 2))
end

function methods.after(node, duration, fn)
  check(node, "after")
  local seconds = text.duration(duration, "node:after", 2)
  text.check(fn, "function", "node:after: the second argument", 2)
  return timers.after(seconds, fn)
end

-- every(duration, fn, { jitter = duration }?)
function methods.every(node, duration, fn, options)
  check(node, "every")
  local period = text.duration(duration, "node:every", 2)
  if period <= 0 then error("node:every: the duration must be more than 0", 2) end
  text.check(fn, "function", "node:every: the second argument", 2)
  options = text.options(options, "node:every", { "jitter" }, 2)
  local jitter = text.duration(options.jitter or 0, "node:every: jitter", 2)
  return timers.every(period, jitter, fn)
end

function methods.now(node)
  check(node, "now")
  return time.now()
end

-- random() → [0, 1); random(n) → 1 to n; random(m, n) → m to n
function methods.random(node, low, high)
  check(node, "random")
  if low == nil then return time.random() end
  text.check(low, "integer", "node:random: the first bound", 2)
  if high == nil then low, high = 1, low end
  text.check(high, "integer", "node:random: the second bound", 2)
  if low > high then error(("node:random: there is nothing from %d to %d"):format(low, high), 2) end
  return time.random(low, high)
end

for name in pairs(methods) do names[#names + 1] = name end
table.sort(names)

local M = { names = names }

-- `address` changes with listen and stop_listening, so it is asked for; anything else the node lacks is a mistake.
setmetatable(methods, { __index = fields })
setmetatable(fields, {
  __index = function(_, key)
    if key == "address" then return network.address() end
    if type(key) ~= "string" then return nil end
    error(("the node has no %q%s"):format(key, (text.hint(key, names))), 2)
  end,
})

function Node.__newindex(_, key, value)
  if key == "state" then
    text.check(value, "table", "node.state", 2)
    fields.state = value
    return
  end
  if key == "address" or rawget(fields, key) ~= nil then error(("node.%s can only be read"):format(key), 2) end
  local name = tostring(key)
  error(("node.%s cannot be set: keep it in node.state, node.state.%s = …"):format(name, name), 2)
end

function Node.__tostring(node) return "node " .. node.name end

-- A table that can be read and walked in a fixed order, and not written.
local function read_only(values)
  local keys = text.sorted_keys(values)
  return setmetatable({}, {
    __name = "node.config", __plain = false,
    __index = function(_, key)
      local value = values[key]
      if value == nil and type(key) == "string" and next(values) ~= nil then
        error(("node.config has no %q%s"):format(key, (text.hint(key, keys))), 2)
      end
      return value
    end,
    __newindex = function(_, key)
      error(("node.config cannot be changed by the script (%s)"):format(text.got(key)), 2)
    end,
    __pairs = function()
      local i = 0
      return function()
        i = i + 1
        if keys[i] ~= nil then return keys[i], values[keys[i]] end
      end
    end,
  })
end

function M.make(given, config, prepared)
  for key, value in pairs(given) do fields[key] = value end
  fields.state = given.state or {}
  fields.args = given.args or {}
  fields.config = read_only(config or {})
  network.prepare(prepared)
  return setmetatable({}, Node)
end

function M.is_node(value) return getmetatable(value) == Node end

-- The timers a script declares; each is called with the node. → name → timer
function M.start_timers(node, declared)
  local started = {}
  for _, entry in ipairs(declared or {}) do
    started[entry.name] = timers.every(entry.every, entry.jitter, function() entry.run(node) end, entry.name)
  end
  return started
end

return M
