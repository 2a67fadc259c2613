-- What Swift asks of a script whose top level has run, before there is a node.
local host = ...
local text, script, args = host.lib.text, host.lib.script, host.lib.args
local error, ipairs, type = error, ipairs, type

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
  local values, problems = args.resolve(prepared.args, given)
  if problems[1] then error(problems[1].message, 0) end
  return values
end

return M
