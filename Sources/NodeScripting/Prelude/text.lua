-- Argument checks with one voice. `level` is what the calling function would give to `error`: 2 blames its caller.
-- Callers must not be left by a tail call, or the blame lands one line too far out.
--
-- What goes well is seen here; for all else, text_words.lua.
local host = ...
local words = host.lib.text_words
local pairs, setmetatable, tostring, type = pairs, setmetatable, tostring, type
local sort, math_type, huge = table.sort, math.type, math.huge

-- format: of string, for those who would not keep it for themselves.
local M = { format = string.format }

-- The keys of a table, sorted as text: what may be shown to anyone.
function M.sorted_keys(table)
  local keys = {}
  for key in pairs(table) do keys[#keys + 1] = key end
  sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local function is_among(names, name)
  for i = 1, #names do
    if names[i] == name then return true end
  end
  return false
end

-- An options table: absent is empty; a key outside `names` is an error that names the nearest one.
function M.options(value, what, names, level)
  if value == nil then return {} end
  local is_known = type(value) == "table"
  if is_known then
    for key in pairs(value) do is_known = is_known and is_among(names, key) end
  end
  if is_known then return value end
  return words.options(value, what, names, level)
end

-- Seconds.
function M.duration(value, what, level)
  if type(value) == "number" and value >= 0 and value < huge then return value end
  return words.duration(value, what, level)
end

-- Bytes.
function M.size(value, what, level)
  if math_type(value) == "integer" and value >= 0 then return value end
  return words.size(value, what, level)
end

function M.check(value, expected, what, level)
  local kind = type(value)
  if kind == expected or (expected == "integer" and math_type(value) == "integer") then return value end
  return words.mistaken(value, expected, what, level)
end

function M.optional(value, expected, what, level)
  if value == nil then return nil end
  M.check(value, expected, what, level + 1)
  return value
end

return setmetatable(M, { __index = words })
