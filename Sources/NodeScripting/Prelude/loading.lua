-- What Swift asks of a script from the end of its top level to the end of its init, where it cannot see by itself that all is
-- well (ScriptTable.swift), or where there are arguments or timers. Nothing in here outlives the start.
--
-- host.script is then what script.lua made of the script's table, and host.handle the node's own handle. One per VM.
local host = ...
local lib = host.lib
local text, script, args = lib.text, lib.script, lib.args
local error, ipairs, next, type = error, ipairs, next, type

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

function M.start(handle, values)
  local prepared = host.script
  if prepared.init then prepared.init(handle, values) end
  if prepared.timers[1] then lib.node_time.start_timers(handle, prepared.timers) end
end

return M
