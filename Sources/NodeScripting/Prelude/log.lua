-- `moonpeer.log`: log.info("text", { key = value }), from trace to error. The host adds the node and the connection.
local host = ...
local text = host.lib.text
local error, type, pairs, ipairs, tostring = error, type, pairs, ipairs, tostring
local setmetatable = setmetatable
local write, enabled = host.log.write, host.log.enabled

local levels = { "trace", "debug", "info", "notice", "warning", "error" }
local known = {}
for _, level in ipairs(levels) do known[level] = true end
local plain = { string = true, number = true, boolean = true }

local M = {}

-- Fields are shown, not stored: what is not plain is written as tostring would.
local function shown(fields)
  if fields == nil then return nil end
  local made = {}
  for key, value in pairs(fields) do made[tostring(key)] = plain[type(value)] and value or tostring(value) end
  return made
end

for _, level in ipairs(levels) do
  M[level] = function(message, fields)
    -- A mistake shows on every level, not only once somebody asks for more.
    if fields ~= nil and type(fields) ~= "table" then
      error(text.format("log.%s: the fields must be a table, got %s", level, text.got(fields)), 2)
    end
    if not enabled(level) then return end
    local ready = shown(fields)
    write(level, tostring(message), ready)
  end
end

-- log.enabled(level): whether such a line would be written; for lines that are dear to make.
function M.enabled(level)
  text.check(level, "string", "log.enabled: level", 2)
  if not known[level] then
    error(text.format("log.enabled: there is no level %q%s", level, (text.hint(level, levels))), 2)
  end
  return enabled(level)
end

return setmetatable(M, {
  __index = function(_, key)
    error(text.format("moonpeer.log has no %q%s", tostring(key), (text.hint(key, levels))), 2)
  end,
})
