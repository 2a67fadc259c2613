-- Argument checks with one voice: what was called, what was expected, what came. `host.check` for the other chunks.
local host = ...
local nearest = host.text.nearest

local M = {}

-- The mistake is the caller's: level 3 is the line that called the API function.
function M.fail(what, message)
  error(what .. ": " .. message, 3)
end

function M.sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

function M.hint(word, names)
  local name = nearest(tostring(word), names)
  return name and ('; did you mean "%s"?'):format(name) or " (known: " .. table.concat(names, ", ") .. ")"
end

-- options(what, table or nil, names): an option table with known keys only
function M.options(what, given, names)
  if given == nil then return {} end
  if type(given) ~= "table" then
    error(("%s: a table of options is expected, got %s"):format(what, type(given)), 3)
  end
  for _, key in ipairs(M.sorted_keys(given)) do
    local known = false
    for _, name in ipairs(names) do known = known or name == key end
    if not known then error(('%s: there is no option "%s"%s'):format(what, key, M.hint(key, names)), 3) end
  end
  return given
end

function M.is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and type(meta.__call) == "function"
end

return M
