-- The global `require`, in a table.
local host = ...
local lib, shipped = host.lib, host.module.shipped
local type, gsub, match = type, string.gsub, string.match

local M = {}

function M.require(name)
  if type(name) ~= "string" then lib.text.check(name, "string", "require: a module's name", 2) end
  -- "lib/frames" and "lib.frames" are one file, and one module.
  name = gsub(name, "/", ".")
  local module = shipped(name)
  -- Not the author's: the shipped modules' own table, or the node's handle.
  if module then return module == true and lib[match(name, "%.(.*)")] or module end
  local value = lib.modules.require(name)
  return value
end

return M
