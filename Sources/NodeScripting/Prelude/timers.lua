-- after and every. A repeating timer keeps to its grid: a tick never adds to the next one's time, one that is due while
-- the last still runs is left out, and neither an error nor a run over budget stops the ticks to come.
local host = ...
local text = host.lib.text
local setmetatable, floor = setmetatable, math.floor
local now, timer, cancel_timer, random = host.time.now, host.time.timer, host.time.cancel_timer, host.time.random
local current, status = host.task.current, host.task.status

local M = {}
local methods = {}
local Timer = { __name = "timer", __plain = false, __index = text.complete("a timer", methods, { "id", "cancelled", "due" }) }

-- cancel() → whether there was anything still to come. A tick that runs already goes on to its end.
function methods.cancel(self)
  local id = self.id
  self.id, self.cancelled = nil, true
  return id ~= nil and cancel_timer(id)
end

function Timer.__close(self) methods.cancel(self) end

function M.after(seconds, fn)
  local made = setmetatable({}, Timer)
  made.id = timer(seconds, function()
    made.id = nil
    fn()
  end)
  return made
end

-- `jitter` adds up to so many seconds to each tick, without moving the grid; `name` is what its errors call it; the first
-- tick comes after `first` seconds, or else after `period`.
function M.every(period, jitter, fn, name, first)
  local made = setmetatable({}, Timer)
  local due, running = now() + (first or period), nil
  local tick

  local function schedule()
    local delay = due - now()
    made.due = due
    if jitter > 0 then delay = delay + random() * jitter end
    made.id = timer(delay > 0 and delay or 0, tick, name)
  end

  function tick()
    -- The next one stands before this one runs, so nothing that happens in it can be in its way.
    local behind = floor((now() - due) / period)
    due = due + period * ((behind > 0 and behind or 0) + 1)
    schedule()
    if running and status(running) ~= "ended" then return end
    running = current()
    fn()
  end

  schedule()
  return made
end

return M
