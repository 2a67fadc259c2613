-- Node handles: a node of the scenario is a name and a channel; what crosses it is plain data.
local host = ...
local format = string.format
local native, time, text, properties = host.network, host.time, host.lib.text, host.lib.network_properties

local M = {}
local Node = { __name = "node handle", __metatable = false }
local started = setmetatable({}, { __mode = "k" })
local methods = {}

local later = { pause = true, resume = true }

function Node.__index(handle, key)
  local method = methods[key]
  if method then return method end
  local node = started[handle]
  if key == "name" or key == "id" then return node[key] end
  if key == "address" then return native.address(node.id) end
  if later[key] then error(format("node handle: %s is not in this version", key), 2) end
  local known = text.sorted_keys(methods)
  for _, name in ipairs { "address", "id", "name" } do known[#known + 1] = name end
  error(format("a node handle has no %q%s", tostring(key), (text.hint(key, known))), 2)
end

function Node.__newindex(_, key)
  error(format("a node handle's fields cannot be set (%s); state belongs into the node's script", tostring(key)), 2)
end

function Node.__tostring(handle) return "node " .. started[handle].name end

-- Starts a node; `arguments` are its declared arguments, configuration keys and its name. Its steps are followed by a look at the
-- properties.
function M.start(script, arguments, its_properties)
  local handle = setmetatable({}, Node)
  local node = native.start(script, arguments)
  node.properties = its_properties
  started[handle] = node
  return handle
end

-- The number of a handle's node, for `what`; `level` as in text.lua.
function M.id(handle, what, level)
  local node = started[handle]
  if not node then error(format("%s: a node handle is expected, got %s", what, text.got(handle)), level + 1) end
  return node.id
end

local id_of = M.id

-- call(name, …) → what the script's call of that name returns; raises what it raises
function methods.call(handle, name, ...)
  text.check(name, "string", "handle:call: the call's name", 2)
  return native.call(id_of(handle, "handle:call", 2), name, ...)
end

-- eval(code, …) → what the Lua code returns, run inside the node with `node` in scope
function methods.eval(handle, code, ...)
  text.check(code, "string", "handle:eval: the code", 2)
  return native.eval(id_of(handle, "handle:eval", 2), code, ...)
end

function methods.connections(handle) return native.connections(id_of(handle, "handle:connections", 2)) end
function methods.stats(handle) return native.stats(id_of(handle, "handle:stats", 2)) end
function methods.heuristics(handle) return native.heuristics(id_of(handle, "handle:heuristics", 2)) end

-- What ends a node or changes what it runs: one at a time for each node, between two looks, and looked at afterwards.
local function step(handle, what, change, ...)
  local id, node = id_of(handle, what, 3), started[handle]
  while node.is_changing or properties.is_looked_at_elsewhere() do time.sleep(0.001) end
  local function change_it(...)
    node.is_changing = true
    local guard <close> = setmetatable({}, { __close = function() node.is_changing = false end })
    return change(id, ...), guard and nil
  end
  local result = change_it(...)
  properties.look(node.properties)
  return result
end

-- crash() cuts everything without a hook; shut_down() ends in order; both → whether the node was running
function methods.crash(handle) return (step(handle, "handle:crash", native.stop, true)) end
function methods.shut_down(handle) return (step(handle, "handle:shut_down", native.stop, false)) end

-- restart(): the same script with the same arguments on the same address, with an empty state
function methods.restart(handle) return (step(handle, "handle:restart", native.restart)) end

-- reload(script?) → what it did: new code for the running node, without a script its own file as it is now; raises where
-- the new code is not taken
function methods.reload(handle, script)
  text.optional(script, "string", "handle:reload: the script's file name", 2)
  return (step(handle, "handle:reload", native.reload, script))
end

return M
