-- What of `host` is made when it is first used, so that a node pays for what its script uses.
--
-- host.lib.<name>      a stand-in for the table of a shipped chunk: at the first look-up in it the chunk runs, and the
--                      stand-in gets its fields and its metatable. `local text = host.lib.text` costs next to nothing.
-- host.<group>         natives; each is made when it is first looked up.
-- host.forget(name …)  takes chunks' fields away again until the next look-up. Only for chunks that keep no state.
--
-- → get(name): the stand-in, filled
local host = ...
local getmetatable, next, pairs = getmetatable, next, pairs
local rawget, rawset, setmetatable = rawget, rawset, setmetatable
local chunk, native = host.chunk, host.native

local names = {} -- stand-in → the chunk's name, group → the group's
local Standin, Natives = {}, {}

local function fill(standin)
  local value = chunk(names[standin])
  for key, field in next, value do rawset(standin, key, field) end
  return setmetatable(standin, getmetatable(value))
end

-- Left by a tail call, so that what a module says about a name it lacks blames the author's line.
function Standin.__index(standin, key)
  local value = rawget(fill(standin), key)
  local meta = getmetatable(standin)
  if value == nil and meta and meta.__index then return meta.__index(standin, key) end
  return value
end

function Standin.__pairs(standin) return pairs(fill(standin)) end

-- A script that adds a name of its own must find the others there as well.
function Standin.__newindex(standin, key, value) fill(standin)[key] = value end

setmetatable(host.lib, {
  __index = function(lib, name)
    local standin = setmetatable({}, Standin)
    names[standin], lib[name] = name, standin
    return standin
  end,
})

function Natives.__index(group, name)
  native(group, names[group], name)
  return rawget(group, name)
end

for _, name in next, { "task", "time", "text", "log", "module", "conn", "node" } do
  local group = setmetatable({}, Natives)
  names[group], host[name] = name, group
end

function host.forget(...)
  for _, name in next, { ... } do
    local standin = host.lib[name]
    setmetatable(standin, nil)
    for key in next, standin do standin[key] = nil end
    setmetatable(standin, Standin)
  end
end

return function(name)
  local standin = host.lib[name]
  return getmetatable(standin) == Standin and fill(standin) or standin
end
