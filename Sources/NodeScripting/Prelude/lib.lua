-- What of `host` is made when it is first used, so that a node pays for what its script uses.
--
-- host.lib.<name>      a stand-in for the table of a shipped chunk: at the first look-up in it the chunk runs, and the
--                      stand-in gets its fields and its metatable. `local text = host.lib.text` costs next to nothing.
-- host.later(chunk, name)  a function that calls that one of the chunk: for what is kept long and hardly ever called.
-- host.error           the chunk of that name
-- host.require         the global one
-- host.codec           what makes a table a codec: its metatable
-- host.<group>         natives; each, and its group, is made when it is first looked up.
--
-- Until it is filled, a stand-in or group holds its name at [1].
--
-- → get(name): the stand-in, filled
local host = ...
local getmetatable, next, pairs = getmetatable, next, pairs
local rawget, rawset, setmetatable, type = rawget, rawset, setmetatable, type
local find = string.find
local lib, chunk, native = host.lib, host.chunk, host.native
host.chunk, host.native = nil, nil

local Standin, Natives = {}, {}
host.standin = Standin

local function fill(standin)
  local value = chunk(rawget(standin, 1))
  standin[1] = nil
  for key, field in next, value do rawset(standin, key, field) end
  return setmetatable(standin, getmetatable(value))
end

-- Left by a tail call, so that what a module says about a name it lacks blames the author's line.
function Standin.__index(standin, key)
  local value = rawget(fill(standin), key)
  local meta = getmetatable(standin)
  local index = value == nil and meta and meta.__index
  if not index then return value end
  if type(index) == "table" then return index[key] end
  return index(standin, key)
end

function Standin.__pairs(standin) return pairs(fill(standin)) end

-- A script that adds a name of its own must find the others there as well.
function Standin.__newindex(standin, key, value) fill(standin)[key] = value end

setmetatable(lib, {
  __index = function(_, name)
    local standin = setmetatable({ name }, Standin)
    lib[name] = standin
    return standin
  end,
})

function host.later(home, name)
  return function(...) return lib[home][name](...) end
end

function Natives.__index(group, name)
  native(group, group[1], name)
  return rawget(group, name)
end

setmetatable(host, {
  __index = function(_, name)
    if name == "error" then return lib.error end
    if not find(" task time text log module conn node console ", " " .. name .. " ", 1, true) then return nil end
    local group = setmetatable({ name }, Natives)
    host[name] = group
    return group
  end,
})

host.codec = { __name = "codec", __plain = false }

-- What comes with Moonpeer is found at once; for files, and for what is wrong, require.lua.
function host.require(name)
  local module, key = host.module.shipped(name)
  if module then return key and lib[key] or module end
  return lib.require.require(name)
end

return function(name)
  local standin = lib[name]
  return getmetatable(standin) == Standin and fill(standin) or standin
end
