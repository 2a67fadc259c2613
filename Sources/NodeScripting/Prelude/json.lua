-- moonpeer.json: strict RFC 8259. json.null stands for null; json.array marks a table that must be an array.
local host = ...
local new_error = host.error.new

local M = {}
M.null = setmetatable({}, { __tostring = function() return "null" end, __name = "json.null", __metatable = false })
local Array = { __name = "json.array" }
function M.array(values) return setmetatable(values or {}, Array) end

local MAX_DEPTH = 128
local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

local function quote(text)
  if not utf8.len(text) then error(new_error("json", "a string that is not UTF-8 cannot be JSON"), 0) end
  return '"' .. text:gsub('[%c"\\\127]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

local encode_value

local function encode_table(value, out, depth)
  if depth > MAX_DEPTH then error(new_error("json", "nested too deeply, or a table that contains itself"), 0) end
  local count = #value
  if getmetatable(value) == Array or (count > 0 and next(value, count) == nil) then
    out[#out + 1] = "["
    for i = 1, count do
      if i > 1 then out[#out + 1] = "," end
      encode_value(value[i], out, depth + 1)
    end
    out[#out + 1] = "]"
    return
  end
  local keys = {}
  for key in pairs(value) do
    if type(key) ~= "string" then
      error(new_error("json", ("an object's keys are strings, got %s"):format(math.type(key) or type(key))), 0)
    end
    keys[#keys + 1] = key
  end
  table.sort(keys) -- the same table is the same text, every time
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = quote(key) .. ":"
    encode_value(value[key], out, depth + 1)
  end
  out[#out + 1] = "}"
end

function encode_value(value, out, depth)
  local kind = type(value)
  if value == nil or value == M.null then
    out[#out + 1] = "null"
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif math.type(value) == "integer" then
    out[#out + 1] = ("%d"):format(value)
  elseif kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      error(new_error("json", "not a number and infinity cannot be JSON"), 0)
    end
    out[#out + 1] = ("%.17g"):format(value)
  elseif kind == "string" then
    out[#out + 1] = quote(value)
  elseif kind == "table" then
    encode_table(value, out, depth)
  else
    error(new_error("json", ("a %s cannot be JSON"):format(kind)), 0)
  end
end

function M.encode(value)
  local out = {}
  encode_value(value, out, 1)
  return table.concat(out)
end

local function fail(at, what)
  error(new_error("json", ("%s at position %d"):format(what, at)), 0)
end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local unescapes = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function decode_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('["\\%c]', from)
    if not stop then fail(at, "a string without its end") end
    parts[#parts + 1] = text:sub(from, stop - 1)
    local char = text:sub(stop, stop)
    if char == '"' then
      local result = table.concat(parts)
      if not utf8.len(result) then fail(at, "a string that is not UTF-8") end
      return result, stop + 1
    end
    if char ~= "\\" then
      if char:byte() ~= 127 then fail(stop, "a control character inside a string") end
      parts[#parts + 1] = char
      from = stop + 1
    else
      local escape = text:sub(stop + 1, stop + 1)
      if escape == "u" then
        local code = tonumber(text:match("^%x%x%x%x", stop + 2), 16)
        if not code then fail(stop, "a \\u without four hex digits") end
        from = stop + 6
        if code >= 0xD800 and code < 0xDC00 then
          local low = tonumber(text:match("^\\u(%x%x%x%x)", from), 16)
          if not low or low < 0xDC00 or low > 0xDFFF then fail(stop, "half of a surrogate pair") end
          code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)
          from = from + 6
        elseif code >= 0xDC00 and code < 0xE000 then
          fail(stop, "half of a surrogate pair")
        end
        parts[#parts + 1] = utf8.char(code)
      else
        parts[#parts + 1] = unescapes[escape] or fail(stop, "an unknown escape")
        from = stop + 2
      end
    end
  end
end

local function decode_number(text, at)
  local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local plain = number:match("^-?(%d+)")
  if not plain or (#plain > 1 and plain:sub(1, 1) == "0") or number:find("%.$") or number:find("%.[eE]")
    or number:find("[eE][+-]?$") then
    fail(at, "a malformed number")
  end
  local value = number:find("[.eE]") and tonumber(number) + 0.0 or math.tointeger(tonumber(number)) or tonumber(number)
  return value, at + #number
end

local decode_value

local function decode_members(text, at, close, member)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = skip(text, member(at))
    local char = text:sub(at, at)
    if char == close then return at + 1 end
    if char ~= "," then fail(at, ('"," or "%s" is expected'):format(close)) end
    at = skip(text, at + 1)
  end
end

local literals = { t = { "true", true }, f = { "false", false }, n = { "null", M.null } }

function decode_value(text, at, depth)
  if depth > MAX_DEPTH then fail(at, "nested too deeply") end
  local char = text:sub(at, at)
  if char == '"' then return decode_string(text, at) end
  if char == "{" then
    local object = {}
    local stop = decode_members(text, at, "}", function(place)
      if text:sub(place, place) ~= '"' then fail(place, "an object's key is expected") end
      local key, after = decode_string(text, place)
      after = skip(text, after)
      if text:sub(after, after) ~= ":" then fail(after, '":" is expected') end
      object[key], after = decode_value(text, skip(text, after + 1), depth + 1)
      return after
    end)
    return object, stop
  end
  if char == "[" then
    local array, count = M.array {}, 0
    local stop = decode_members(text, at, "]", function(place)
      count = count + 1
      array[count], place = decode_value(text, place, depth + 1)
      return place
    end)
    return array, stop
  end
  local literal = literals[char]
  if literal and text:sub(at, at + #literal[1] - 1) == literal[1] then return literal[2], at + #literal[1] end
  if char:find("[-%d]") then
    if not text:find("^-?%d", at) then fail(at, "a malformed number") end
    return decode_number(text, at)
  end
  fail(at, char == "" and "the end of the text, too early" or ("an unexpected %q"):format(char))
end

-- The value, or raises an error of kind "json" with the position.
function M.decode(text)
  if type(text) ~= "string" then error("json.decode: a string is expected, got " .. type(text), 2) end
  local value, at = decode_value(text, skip(text, 1), 1)
  at = skip(text, at)
  if at <= #text then fail(at, "text after the value") end
  return value
end

return M
