-- Parking until woken or until a moment. A park can end early (a late wake-up meant for an earlier wait), so every
-- caller asks again in a loop whether what it waits for is there.
local host = ...
local setmetatable = setmetatable
local park, wake = host.task.park, host.task.wake
local now, timer, cancel_timer = host.time.now, host.time.timer, host.time.cancel_timer

local M = {}

local Alarm = { __close = function(alarm) cancel_timer(alarm.id) end }

-- The moment a wait of `seconds` ends; nil waits for ever.
function M.deadline(seconds)
  return seconds and now() + seconds
end

function M.is_over(deadline)
  return deadline ~= nil and now() >= deadline
end

-- Parks the running task, whose id is `id`.
function M.park(id, deadline)
  if not deadline then return park() end
  local left = deadline - now()
  if left <= 0 then return end
  local alarm <close> = setmetatable({ id = timer(left, function() wake(id) end) }, Alarm)
  park()
  return alarm and nil
end

return M
