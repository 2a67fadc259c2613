---@meta moonpeer.log
-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.

---@type moonpeer.log
local log
return log
