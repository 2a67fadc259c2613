-- The node's clock, its timers and its chance.
local host = ...
local text, timers, check = host.lib.text, host.lib.timers, host.lib.node_handle.check
local error, ipairs = error, ipairs
local time = host.time

local M = { methods = {} }
local methods = M.methods

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
  if low > high then error(text.format("node:random: there is nothing from %d to %d", low, high), 2) end
  return time.random(low, high)
end

-- The timers a script declares; each is called with the node. host.timers is then name → timer. `remaining`: name → how
-- many seconds were left of one that ran before a reload.
function M.start_timers(node, declared, remaining)
  local started = {}
  for _, entry in ipairs(declared) do
    local first = remaining and remaining[entry.name]
    if first then first = first < 0 and 0 or first > entry.every and entry.every or first end
    started[entry.name] = timers.every(entry.every, entry.jitter, function() entry.run(node) end, entry.name, first)
  end
  host.timers = started
end

return M
