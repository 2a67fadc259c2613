-- The `node` handle: only what every look-up passes. The rest stands in node_handle.lua, and what the node can do in the
-- chunks node_…, each loaded when it is first used.
--
-- meta             the handle's metatable. One per VM, so its fields stand behind its methods: the handle itself is empty,
--                  and every assignment is seen.
-- methods, fields  what it finds
-- make(name, id, args) → the handle, which is host.handle from then on
local host = ...
local methods, fields = {}, {}

setmetatable(fields, { __index = host.later("node_handle", "find") })
setmetatable(methods, { __index = fields })

local meta = {
  __name = "node", __plain = false, __index = methods, __newindex = host.later("node_handle", "assign"),
  __tostring = host.later("node_handle", "describe"),
}

local M = { methods = methods, fields = fields, meta = meta }

function M.make(name, id, args)
  fields.name, fields.id, fields.args, fields.state = name, id, args, {}
  host.handle = setmetatable({}, meta)
  return host.handle
end

return M
