-- The `node` handle: only what every look-up passes. The rest stands in node_handle.lua, and what the node can do in the
-- chunks node_…, each loaded when it is first used.
--
-- meta             the handle's metatable. One per VM, so its fields stand behind its methods: the handle itself is empty,
--                  and every assignment is seen.
-- methods, fields  what it finds
local host = ...
local methods, fields = {}, {}

setmetatable(fields, { __index = host.later("node_handle", "find") })
setmetatable(methods, { __index = fields })

return {
  methods = methods, fields = fields,
  meta = {
    __name = "node", __plain = false, __index = methods, __newindex = host.later("node_handle", "assign"),
    __tostring = host.later("node_handle", "describe"),
  },
}
