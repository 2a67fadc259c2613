-- JSON text → values. Hostile input is the usual case: the depth is bounded, nothing is read twice.
local host = ...
local text, marks = host.lib.text, host.lib.json_marks
local error, setmetatable, tonumber = error, setmetatable, tonumber
local byte, find, format, sub = string.byte, string.find, string.format, string.sub
local concat, utf8_char, utf8_len, huge = table.concat, utf8.char, utf8.len, math.huge
local new_error = host.error.new

local default_depth = 128

-- Raises with line, column and byte of `at`.
local function fail(source, at, message)
  local before, line = sub(source, 1, at - 1), 1
  local last = 0
  for newline in before:gmatch("()\n") do line, last = line + 1, newline end
  error(new_error("json", format("json: line %d, column %d: %s", line, at - last, message), { position = at }), 0)
end

local function found(source, at)
  if at > #source then return "the end of the text" end
  local character = sub(source, at, at)
  return find(character, "^[%g]$") and "'" .. character .. "'" or format("byte 0x%02X", byte(character))
end

local function skip(source, at)
  return find(source, "[^ \t\r\n]", at) or #source + 1
end

local escapes = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function code_unit(source, at)
  local digits = sub(source, at, at + 3)
  if not find(digits, "^%x%x%x%x$") then fail(source, at, "\\u needs four hexadecimal digits") end
  return tonumber(digits, 16)
end

-- The escape whose backslash is at `at` → its text, and where to go on.
local function escape(source, at)
  local kind = sub(source, at + 1, at + 1)
  local simple = escapes[kind]
  if simple then return simple, at + 2 end
  if kind ~= "u" then fail(source, at, "an escape that JSON does not have") end
  local unit = code_unit(source, at + 2)
  if unit < 0xD800 or unit > 0xDFFF then return utf8_char(unit), at + 6 end
  if unit > 0xDBFF or sub(source, at + 6, at + 7) ~= "\\u" then fail(source, at, "half of a surrogate pair") end
  local low = code_unit(source, at + 8)
  if low < 0xDC00 or low > 0xDFFF then fail(source, at, "half of a surrogate pair") end
  return utf8_char(0x10000 + (unit - 0xD800 << 10) + (low - 0xDC00)), at + 12
end

-- The string whose opening quote is at `at`.
local function string_at(source, at)
  local start, parts, count = at + 1, nil, 0
  while true do
    local stop = find(source, '["\\%c]', start)
    if not stop then fail(source, at, "a string without an end") end
    local mark = byte(source, stop)
    if mark == 34 then
      local piece = sub(source, start, stop - 1)
      if not parts then return piece, stop + 1 end
      parts[count + 1] = piece
      return concat(parts), stop + 1
    end
    parts = parts or {}
    if mark == 92 then
      parts[count + 1] = sub(source, start, stop - 1)
      parts[count + 2], start = escape(source, stop)
      count = count + 2
    elseif mark == 127 then
      parts[count + 1], start = sub(source, start, stop), stop + 1
      count = count + 1
    else
      fail(source, stop, "a control character in a string; write it as an escape")
    end
  end
end

local function number_at(source, at)
  local _, stop = find(source, "^-?%d+", at)
  if not stop or find(source, "^-?0%d", at) then fail(source, at, "not a number") end
  local _, fraction = find(source, "^%.%d+", stop + 1)
  stop = fraction or stop
  local _, exponent = find(source, "^[eE][+-]?%d+", stop + 1)
  stop = exponent or stop
  if find(source, "^[%w.+-]", stop + 1) then fail(source, at, "not a number") end
  -- An integer too large for 64 bits becomes a float, as tonumber has it.
  local value = tonumber(sub(source, at, stop))
  if value == nil or value ~= value or value == huge or value == -huge then
    fail(source, at, "a number out of range")
  end
  return value, stop + 1
end

local value_at

local function array_at(source, at, depth)
  local list, count = setmetatable({}, marks.Array), 0
  at = skip(source, at + 1)
  if byte(source, at) == 93 then return list, at + 1 end
  while true do
    count = count + 1
    list[count], at = value_at(source, at, depth)
    at = skip(source, at)
    local mark = byte(source, at)
    if mark == 93 then return list, at + 1 end
    if mark ~= 44 then fail(source, at, "',' or ']' expected, got " .. found(source, at)) end
    at = skip(source, at + 1)
  end
end

local function object_at(source, at, depth)
  local object = {}
  at = skip(source, at + 1)
  if byte(source, at) == 125 then return object, at + 1 end
  while true do
    if byte(source, at) ~= 34 then fail(source, at, "a key in quotes expected, got " .. found(source, at)) end
    local key, after = string_at(source, at)
    if object[key] ~= nil then fail(source, at, "the key is there twice") end
    at = skip(source, after)
    if byte(source, at) ~= 58 then fail(source, at, "':' expected, got " .. found(source, at)) end
    object[key], at = value_at(source, skip(source, at + 1), depth)
    at = skip(source, at)
    local mark = byte(source, at)
    if mark == 125 then return object, at + 1 end
    if mark ~= 44 then fail(source, at, "',' or '}' expected, got " .. found(source, at)) end
    at = skip(source, at + 1)
  end
end

local words = { ["true"] = true, ["false"] = false, ["null"] = marks.null }

function value_at(source, at, depth)
  local mark = byte(source, at)
  if mark == 34 then return string_at(source, at) end
  if mark == 123 or mark == 91 then
    if depth == 0 then fail(source, at, "nested too deep") end
    return (mark == 123 and object_at or array_at)(source, at, depth - 1)
  end
  if mark == 45 or mark and mark >= 48 and mark <= 57 then return number_at(source, at) end
  local _, stop = find(source, "^%a+", at)
  local value = stop and words[sub(source, at, stop)]
  if value == nil then fail(source, at, "a value expected, got " .. found(source, at)) end
  return value, stop + 1
end

local M = {}

-- decode(text, { max_depth = 128 }?) → value
function M.decode(source, options)
  text.check(source, "string", "json.decode: the text", 2)
  options = text.options(options, "json.decode", { "max_depth" }, 2)
  local depth = options.max_depth or default_depth
  text.check(depth, "integer", "json.decode: max_depth", 2)
  local valid, bad = utf8_len(source)
  if not valid then fail(source, bad, "not UTF-8") end
  local value, after = value_at(source, skip(source, 1), depth)
  after = skip(source, after)
  if after <= #source then fail(source, after, "nothing more expected, got " .. found(source, after)) end
  return value
end

return M
