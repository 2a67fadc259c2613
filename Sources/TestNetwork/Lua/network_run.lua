-- Runs one scenario: its body, what it put off with `net:at`, and the ticks at which properties are looked at. The
-- first of them that fails is the scenario's failure.
local host = ...
local format = string.format
local time, tasks, properties = host.time, host.lib.tasks, host.lib.network_properties
local report, nets = host.lib.network_report, host.lib.network_net

local M = {}

-- What the file declared, in its order: { name =, where =, timeout = milliseconds }.
function M.list()
  local list = {}
  for i, scenario in ipairs(report.scenarios) do
    list[i] = { name = scenario.name, where = scenario.where, timeout = math.ceil(scenario.timeout * 1000) }
  end
  return list
end

local function ticks(state)
  while true do
    time.sleep(0.02)
    properties.look(state.properties)
  end
end

-- run(index) → how often properties were looked at; raises what failed
function M.run(index)
  local scenario = report.scenarios[index]
  local state = { properties = properties.new(), started = time.now(), delayed = {} }
  local body

  local function fail(failure)
    if state.failure then return end
    state.failure = failure
    body:cancel()
  end

  -- A task whose failure, if it is the first, is the scenario's and ends the body.
  local function start(fn, ...)
    return tasks.spawn(function(...)
      local work <close> = tasks.spawn(function(...)
        local is_done, failure = report.guard(fn, ...)
        if is_done then return end
        -- A run over its budget ends with a mark of the host's, which has to go on: it is an error for who joins.
        if type(failure) == "userdata" then error(failure, 0) end
        fail(failure)
      end, ...)
      local is_done, problem = pcall(work.join, work)
      if not is_done and problem.kind == "budget" then fail(problem) end
    end, ...)
  end

  function state.later(fn) state.delayed[#state.delayed + 1] = start(fn) end

  local net = nets.make(state)
  body = start(function()
    scenario.fn(net)
    local i = 1
    while state.delayed[i] do
      state.delayed[i]:join()
      i = i + 1
    end
    properties.finish(state.properties)
  end)
  local ticker = start(ticks, state)
  local guard <close> = setmetatable({}, { __close = function()
    ticker:cancel()
    for _, task in ipairs(state.delayed) do task:cancel() end
    body:cancel()
  end })

  local is_over, problem = pcall(tasks.timeout, scenario.timeout, function() body:join() end)
  if state.failure then error(state.failure, 0) end
  if not is_over and body.status ~= "failed" then
    report.fail(format("the scenario did not end within %g s%s", scenario.timeout, properties.under_way()),
      scenario.where)
  end
  if not is_over then error(problem, 0) end
  return guard and properties.looks(state.properties)
end

return M
