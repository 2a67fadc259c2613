---@meta moonpeer.node
-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.

---@type moonpeer.Node
local node
return node
