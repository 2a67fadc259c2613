-- Structured errors: a table with `kind`, `message` and whatever else helps (`peer`), readable as text.
--
-- At `host.error`.
local getmetatable, setmetatable, tostring, pairs = getmetatable, setmetatable, tostring, pairs

local Error = { __name = "error" }

function Error.__tostring(self)
  local text = tostring(self.message)
  if self.peer then text = text .. " (peer " .. tostring(self.peer) .. ")" end
  return text
end

local M = {}

-- new(kind, message, fields?) → an error to raise with error(…, 0); `fields` is copied.
function M.new(kind, message, fields)
  local made = {}
  -- The order is not seen: it is a copy from table to table.
  if fields then for key, value in pairs(fields) do made[key] = value end end
  made.kind, made.message = kind, message
  return setmetatable(made, Error)
end

-- Whether an error was made here, by shipped Lua.
function M.is(value)
  return getmetatable(value) == Error
end

return M
