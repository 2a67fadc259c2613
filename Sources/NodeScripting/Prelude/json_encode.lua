-- Values → JSON text, the same text for the same value: keys are sorted.
local host = ...
local text, marks = host.lib.text, host.lib.json_marks
local error, pairs, type = error, pairs, type
local byte, find, format, gsub, sub, tonumber = string.byte, string.find, string.format, string.gsub, string.sub, tonumber
local concat, sort, utf8_len, math_type, huge = table.concat, table.sort, utf8.len, math.type, math.huge
local new_error = host.error.new

local default_depth = 128

local function fail(path, message)
  if #path > 60 then path = sub(path, 1, 28) .. " … " .. sub(path, -28) end
  error(new_error("json", format("json: %s %s", path == "" and "the value" or path, message), { path = path }), 0)
end

local short = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

local function escaped(character)
  return short[character] or format("\\u%04x", byte(character))
end

local function quoted(value, path)
  if not utf8_len(value) then fail(path, "is a string that is not UTF-8; encode bytes first, as hex for instance") end
  return '"' .. gsub(value, '[%c"\\]', escaped) .. '"'
end

-- The shortest text that reads back as the same float, and as a float.
local function float(value, path)
  if value ~= value or value == huge or value == -huge then fail(path, "is not a finite number") end
  local digits
  for precision = 15, 17 do
    digits = format("%." .. precision .. "g", value)
    if tonumber(digits) == value then break end
  end
  if not find(digits, "[.eE]") then digits = digits .. ".0" end
  return digits
end

local encode

local function array(list, path, depth, out)
  local count, seen = #list, 0
  for key in pairs(list) do
    seen = seen + 1
    if math_type(key) ~= "integer" or key < 1 or key > count then
      seen = count + 1
      break
    end
  end
  if seen ~= count then fail(path, "is an array with holes, or with keys that are not its positions") end
  out[#out + 1] = "["
  for i = 1, count do
    if i > 1 then out[#out + 1] = "," end
    encode(list[i], format("%s[%d]", path, i), depth, out)
  end
  out[#out + 1] = "]"
end

local function object(value, path, depth, out)
  local keys, count = {}, 0
  for key in pairs(value) do
    if type(key) ~= "string" then
      fail(path, format("has the key %s; an object's keys must be strings", text.got(key)))
    end
    count = count + 1
    keys[count] = key
  end
  sort(keys)
  out[#out + 1] = "{"
  for i = 1, count do
    local key = keys[i]
    local place = path == "" and key or path .. "." .. key
    out[#out + 1] = (i > 1 and "," or "") .. quoted(key, place) .. ":"
    encode(value[key], place, depth, out)
  end
  out[#out + 1] = "}"
end

function encode(value, path, depth, out)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = quoted(value, path)
  elseif kind == "number" then
    out[#out + 1] = math_type(value) == "integer" and format("%d", value) or float(value, path)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif value == nil or value == marks.null then
    out[#out + 1] = "null"
  elseif kind == "table" then
    if depth == 0 then fail(path, "is nested too deep, or contains itself") end
    if marks.is_array(value) or value[1] ~= nil then array(value, path, depth - 1, out)
    else object(value, path, depth - 1, out) end
  else
    fail(path, "is a " .. kind .. ", which JSON does not have")
  end
end

local M = {}

-- encode(value, { max_depth = 128 }?) → text. A table with [1] is an array, any other an object; json.array marks one
-- that may be empty.
function M.encode(value, options)
  options = text.options(options, "json.encode", { "max_depth" }, 2)
  local depth = options.max_depth or default_depth
  text.check(depth, "integer", "json.encode: max_depth", 2)
  local out = {}
  encode(value, "", depth, out)
  return concat(out)
end

return M
