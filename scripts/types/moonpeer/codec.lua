---@meta moonpeer.codec
-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.

---@type moonpeer.codec
local codec
return codec
