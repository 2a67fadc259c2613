-- Argument checks with one voice. `level` is what the calling function would give to `error`: 2 blames its caller.
-- Callers must not be left by a tail call, or the blame lands one line too far out.
local host = ...
local error, type, pairs, ipairs, pcall, tostring = error, type, pairs, ipairs, pcall, tostring
local getmetatable, setmetatable = getmetatable, setmetatable
local format, match, find, sub = string.format, string.match, string.find, string.sub
local sort, concat = table.sort, table.concat
local math_type, huge = math.type, math.huge

local M = {}

-- What a value is, for "…, got %s".
function M.got(value)
  local kind = math_type(value) or type(value)
  if kind == "string" then
    return #value <= 40 and format("string %q", value) or "a string of " .. #value .. " bytes"
  end
  if kind == "integer" or kind == "float" or kind == "boolean" then return kind .. " " .. tostring(value) end
  if kind == "table" then
    local meta = getmetatable(value)
    local name = type(meta) == "table" and meta.__name
    return type(name) == "string" and "a " .. name or "a table"
  end
  return value == nil and "nothing" or "a " .. kind
end

-- The keys of a table, sorted as text: what may be shown to anyone.
function M.sorted_keys(table)
  local keys = {}
  for key in pairs(table) do keys[#keys + 1] = key end
  sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

-- "; did you mean …?", or what there is to choose from.
function M.hint(word, names)
  local nearest = type(word) == "string" and host.text.nearest(word, names)
  if nearest then return format("; did you mean %q?", nearest), nearest end
  if #names == 0 then return "", nil end
  return "; known: " .. concat(names, ", "), nil
end

local function index_of(names, name)
  for i = 1, #names do
    if names[i] == name then return i end
  end
end

-- An options table: absent is empty; a key outside `names` is an error that names the nearest one.
function M.options(value, what, names, level)
  if value == nil then return {} end
  if type(value) ~= "table" then
    M.fail("usage", format("%s: a table of options is expected, got %s", what, M.got(value)), level + 1)
  end
  local is_known = true
  for key in pairs(value) do is_known = is_known and index_of(names, key) ~= nil end
  if is_known then return value end
  for _, key in ipairs(M.sorted_keys(value)) do
    if not index_of(names, key) then
      M.fail("usage", format("%s: unknown option %s%s", what, type(key) == "string" and format("%q", key) or M.got(key),
        (M.hint(key, names))), level + 1)
    end
  end
  return value
end

-- The words of an error that a native raised about `what`, without the place it put in front.
function M.words(cause, what)
  local text = tostring(type(cause) == "table" and cause.message or cause)
  local start = find(text, what .. ": ", 1, true)
  return start and sub(text, start) or text
end

function M.duration(value, what, level)
  if type(value) == "number" and value >= 0 and value < huge then return value end
  local ok, seconds = pcall(host.text.duration, value, what)
  if not ok then M.fail("usage", M.words(seconds, what), level + 1) end
  return seconds
end

function M.size(value, what, level)
  if math_type(value) == "integer" and value >= 0 then return value end
  local ok, bytes = pcall(host.text.size, value, what)
  if not ok then M.fail("usage", M.words(bytes, what), level + 1) end
  return bytes
end

function M.check(value, expected, what, level)
  local kind = type(value)
  if kind == expected or (expected == "integer" and math_type(value) == "integer") then return value end
  local article = match(expected, "^[aeiou]") and "an " or "a "
  M.fail("usage", format("%s must be %s%s, got %s", what, article, expected, M.got(value)), level + 1)
end

function M.optional(value, expected, what, level)
  if value == nil then return nil end
  M.check(value, expected, what, level + 1)
  return value
end

-- The message with the blamed place in front; past our own frames, which a tail call of the author's can bring near:
-- compiled as they ship they have no lines, so no place either.
function M.placed(message, level)
  for i = level + 2, level + 12 do
    local _, placed = pcall(error, message, i)
    if placed ~= message and not match(placed, "^moonpeer%.") then return placed end
  end
  return message
end

-- Raises an error table of that kind; its message starts with the blamed place, as that of error(text, level) does.
function M.fail(kind, message, level)
  error(host.error.new(kind, M.placed(message, level + 1)), 0)
end

-- What is said about a name that a shipped module lacks.
function M.no_name(module, table, key)
  return format("%s has no %s%s", module, M.got(key), (M.hint(key, M.sorted_keys(table))))
end

-- A shipped module's table: a name it lacks is a mistake, found where it is made and not where the nil is called.
function M.module(name, table)
  return setmetatable(table, { __index = function(_, key) error(M.no_name(name, table, key), 2) end })
end

-- Named values that are all there: a name they lack is a mistake.
function M.record(what, values)
  return setmetatable(values, { __index = function(_, key) error(M.no_name(what, values, key), 2) end })
end

-- Makes the method table of a handle complete: `fields` may be absent, any other name it lacks is a mistake.
function M.complete(what, methods, fields)
  local is_field = {}
  for _, name in ipairs(fields or {}) do is_field[name] = true end
  return setmetatable(methods, {
    __index = function(_, key)
      if is_field[key] or type(key) ~= "string" then return nil end
      error(format("%s has no %q%s", what, key, (M.hint(key, M.sorted_keys(methods)))), 2)
    end,
  })
end

-- Raises what was caught: with the place it has already, or else the caller's. An error of the script's own making goes
-- on as it is.
function M.raise(cause, what, level)
  if host.error.is(cause) then
    local message = tostring(cause.message)
    if not match(message, "^[^\n]-:%d+: ") then cause.message = M.placed(what .. ": " .. message, level + 1) end
  end
  if type(cause) ~= "string" or match(cause, "^[^\n]-:%d+: ") then error(cause, 0) end
  -- A place inside the shipped code is nobody's concern.
  error(what .. ": " .. (match(cause, "^moonpeer[%w_./]*:%-?%d+: (.*)$") or cause), level + 1)
end

return M
