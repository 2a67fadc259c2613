-- Properties: what must hold always, sometimes, eventually. Looked at after every step of the scenario and each tick.
local host = ...
local format = string.format
local time, text, report = host.time, host.lib.text, host.lib.network_report
local new_error, current = host.error.new, host.task.current

local M = {}

-- Whose look is under way, a task, and at which property.
local looker, looked_at

function M.new()
  return { always = {}, sometimes = {}, eventually = 0 }
end

local function add(list, kind, name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    error(format("net:%s: a name and a function are expected, got %s and %s", kind, text.got(name), text.got(fn)), 4)
  end
  list[#list + 1] = { kind = kind, name = name, fn = fn, looks = 0, where = report.place() }
end

function M.always(properties, name, fn) add(properties.always, "always", name, fn) end
function M.sometimes(properties, name, fn) add(properties.sometimes, "sometimes", name, fn) end

local function look_once(properties)
  for _, property in ipairs(properties.always) do
    looked_at = property
    property.looks = property.looks + 1
    local holds, problem = property.fn()
    if not holds then
      report.fail(format("always %q does not hold%s", property.name, report.reason(problem)), property.where)
    end
  end
  for _, property in ipairs(properties.sometimes) do
    looked_at = property
    property.looks = property.looks + 1
    if not property.held and property.fn() then property.held = true end
  end
end

-- A property may wait (it calls nodes), so others come by while it does: one look at a time.
function M.look(properties)
  if looker then return end
  looker = current()
  local guard <close> = setmetatable({}, { __close = function() looker = nil end })
  look_once(properties)
  return guard and nil
end

-- Whether another task looks: a node that a property has just found running must not be gone when it asks the next question. A
-- property that ends a node itself waits for nobody.
function M.is_looked_at_elsewhere() return looker ~= nil and looker ~= current() end

-- What is being looked at, for a scenario that does not end: a text, empty where it is nothing.
function M.under_way()
  return looker and format("; %s %q is being looked at", looked_at.kind, looked_at.name) or ""
end

-- eventually(…) → what fn returned first that was true
function M.eventually(properties, name, within, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    error(format("net:eventually: a name, a duration and a function are expected, got %s, %s and %s", text.got(name),
      text.got(within), text.got(fn)), 3)
  end
  local limit = text.duration(within, "net:eventually", 3)
  local stop, pause = time.now() + limit, 0.002
  while true do
    local is_last = time.now() >= stop
    local holds, problem = fn()
    M.look(properties)
    if holds then
      properties.eventually = properties.eventually + 1
      return holds
    end
    if is_last then
      report.fail(format("eventually %q did not hold within %g s%s", name, limit, report.reason(problem)))
    end
    time.sleep(pause)
    pause = math.min(pause * 1.5, 0.05)
  end
end

-- At the end: one more look, and every `sometimes` must have held.
function M.finish(properties)
  while looker do time.sleep(0.001) end
  M.look(properties)
  for _, property in ipairs(properties.sometimes) do
    if not property.held then
      error(new_error("expectation", format("sometimes %q never held (%d looks)", property.name, property.looks),
        { where = property.where }), 0)
    end
  end
end

-- How often properties were looked at, all in all.
function M.looks(properties)
  local looks = properties.eventually
  for _, list in ipairs { properties.always, properties.sometimes } do
    for _, property in ipairs(list) do looks = looks + property.looks end
  end
  return looks
end

return M
