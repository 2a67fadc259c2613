---@meta moonpeer.network
-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.

---@type moonpeer.network
local network
return network
