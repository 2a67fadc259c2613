-- The global `require`, for what lib.lua has not found among the shipped modules.
local host = ...
local lib = host.lib
local type, gsub = type, string.gsub

local M = {}

function M.require(name)
  if type(name) ~= "string" then lib.text.check(name, "string", "require: a module's name", 2) end
  -- "lib/frames" and "lib.frames" are one file, and one module.
  local value = lib.modules.require((gsub(name, "/", ".")))
  return value
end

return M
