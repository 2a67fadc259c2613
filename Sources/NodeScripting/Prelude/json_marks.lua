-- The two values that JSON has and Lua lacks: null, and a table that is an array even when it is empty.
local host = ...
local text = host.lib.text
local error, getmetatable, setmetatable = error, getmetatable, setmetatable

local Array = { __name = "json array" }

local M = { Array = Array }

M.null = setmetatable({}, {
  __name = "json null", __plain = false,
  __tostring = function() return "null" end,
  __newindex = function() error("json.null cannot hold anything", 2) end,
  __metatable = "json null",
})

-- array(list?): marks a list as an array and returns it.
function M.array(list)
  if list == nil then list = {} end
  text.check(list, "table", "json.array: the list", 2)
  return setmetatable(list, Array)
end

function M.is_array(value)
  return getmetatable(value) == Array
end

return M
