-- What a node lets go of once it has started, or moved. Only chunks that keep no state: the next look-up loads them again.
--
-- forget()
local host = ...
local lib = host.lib
local ipairs, next, rawget, setmetatable = ipairs, next, rawget, setmetatable

local M = {}

-- Puts a stand-in back to what it was before its chunk ran; whoever holds it fills it again.
local function empty(name)
  local standin = rawget(lib, name)
  if not standin then return end
  setmetatable(standin, nil)
  for key in next, standin do standin[key] = nil end
  standin[1] = name
  setmetatable(standin, host.standin)
  lib[name] = nil
end

function M.forget()
  -- The native has their names, so that this chunk is not loaded where there is nothing to forget.
  for _, name in ipairs { host.module.passing() } do empty(name) end
end

return M
