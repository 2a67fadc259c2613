---@meta moonpeer.json
-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.

---@type moonpeer.json
local json
return json
