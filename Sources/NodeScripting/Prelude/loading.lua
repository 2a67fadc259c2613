-- What Swift asks of a script from the end of its top level to the end of its init. Nothing in here outlives the start.
--
-- It leaves host.script, what script.lua made of the script's table, and host.handle, the node's own handle. One per VM.
local host = ...
local lib = host.lib
local text, script, args = lib.text, lib.script, lib.args
local error, ipairs, next, pairs, setmetatable, type = error, ipairs, next, pairs, setmetatable, type

local M = {}

-- What a script's table declares: { prepared, outline (plain), problems }.
function M.examine(value)
  local prepared, problems = script.prepare(value)
  local outline = {}
  if prepared then
    local timers = {}
    for i, timer in ipairs(prepared.timers) do timers[i] = timer.name end
    outline = { name = prepared.name, version = prepared.version, hooks = prepared.hooks, args = prepared.args,
      codec = prepared.codec and type(prepared.codec), calls = text.sorted_keys(prepared.calls), timers = timers,
      config = prepared.config }
  end
  return { prepared = prepared, outline = outline, problems = problems }
end

function M.arguments(prepared, given)
  if not prepared.args[1] and next(given) == nil then return {} end
  local values, problems = args.resolve(prepared.args, given)
  if problems[1] then error(problems[1].message, 0) end
  return values
end

-- `given` is name, id and args.
function M.make_node(given, prepared)
  local parts = lib.node
  local fields = parts.fields
  for key, value in pairs(given) do fields[key] = value end
  fields.state = {}
  fields.args = given.args or {}
  host.script, host.handle = prepared, setmetatable({}, parts.meta)
  return host.handle
end

function M.start(handle)
  local prepared = host.script
  if prepared.init then prepared.init(handle, handle.args) end
  if prepared.timers[1] then lib.node_time.start_timers(handle, prepared.timers) end
  lib.forgetting.forget()
end

return M
