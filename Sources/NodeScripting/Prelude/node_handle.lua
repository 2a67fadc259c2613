-- What the `node` handle does with names it does not have yet; see node.lua.
--
-- find(fields, key), assign(node, key, value), describe(node)      the metamethods
-- check(node, name)        for a method: that it was called with a colon
local host = ...
local lib = host.lib
local text, parts = lib.text, lib.node
local error, getmetatable, pairs, rawget = error, getmetatable, pairs, rawget
local type, tostring, find, gmatch = type, tostring, string.find, string.gmatch

local homes = {
  node_metric = " metric ",
  node_tasks = " all any queue spawn timeout ",
  node_time = " after every now random sleep ",
  node_network = " broadcast call connect connection connections counts disconnect heuristics is_connected listen open "
    .. "send shut_down stats stop_listening ",
}
local methods, fields = parts.methods, parts.fields
local M = {}

function M.check(node, name)
  if getmetatable(node) ~= parts.meta then
    error(text.format("node:%s: call it with a colon, on the node; got %s", name, text.got(node)), 3)
  end
end

local function names()
  local list = {}
  for _, home in pairs(homes) do
    for name in gmatch(home, "%S+") do list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- `address` changes with listen and stop_listening, so it is asked for; anything else the node lacks is a mistake.
function M.find(_, key)
  if key == "address" then return host.node.address() end
  if type(key) ~= "string" then return nil end
  if key == "config" then
    fields.config = lib.node_config.make()
    return fields.config
  end
  for home, list in pairs(homes) do
    if find(list, " " .. key .. " ", 1, true) then
      for name, method in pairs(lib[home].methods) do methods[name] = method end
      return methods[key]
    end
  end
  error(text.format("the node has no %q%s", key, (text.hint(key, names()))), 2)
end

function M.assign(_, key, value)
  if key == "state" then
    text.check(value, "table", "node.state", 2)
    fields.state = value
    return
  end
  if key == "address" or key == "config" or rawget(fields, key) ~= nil then
    error(text.format("node.%s can only be read", key), 2)
  end
  local name = tostring(key)
  error(text.format("node.%s cannot be set: keep it in node.state, node.state.%s = …", name, name), 2)
end

function M.describe(node) return "node " .. node.name end

return M
