-- The words for what is wrong: the part of text.lua that is loaded with the first mistake, and found through it. Its checks
-- come by a tail call of the one in text.lua, so that levels are what they are there.
local host = ...
local error, type, ipairs, pcall, tostring = error, type, ipairs, pcall, tostring
local getmetatable, setmetatable = getmetatable, setmetatable
local format, match, find, sub = string.format, string.match, string.find, string.sub
local concat, math_type = table.concat, math.type

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

-- "; did you mean …?", or what there is to choose from.
function M.hint(word, names)
  local nearest = type(word) == "string" and host.text.nearest(word, names)
  if nearest then return format("; did you mean %q?", nearest), nearest end
  if #names == 0 then return "", nil end
  return "; known: " .. concat(names, ", "), nil
end

function M.options(value, what, names, level)
  if type(value) ~= "table" then
    M.fail("usage", format("%s: a table of options is expected, got %s", what, M.got(value)), level + 1)
  end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for _, key in ipairs(host.lib.text.sorted_keys(value)) do
    if not known[key] then
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
  local ok, seconds = pcall(host.text.duration, value, what)
  if not ok then M.fail("usage", M.words(seconds, what), level + 1) end
  return seconds
end

function M.size(value, what, level)
  local ok, bytes = pcall(host.text.size, value, what)
  if not ok then M.fail("usage", M.words(bytes, what), level + 1) end
  return bytes
end

function M.mistaken(value, expected, what, level)
  local article = match(expected, "^[aeiou]") and "an " or "a "
  M.fail("usage", format("%s must be %s%s, got %s", what, article, expected, M.got(value)), level + 1)
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
  local name = type(key) == "string" and format("%q", key) or M.got(key)
  return format("%s has no %s%s", module, name, (M.hint(key, host.lib.text.sorted_keys(table))))
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
      error(format("%s has no %q%s", what, key, (M.hint(key, host.lib.text.sorted_keys(methods)))), 2)
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
