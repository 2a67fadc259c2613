-- Codecs for binary records: string.pack formats, named fields, tagged alternatives.
local host = ...
local check, tools = host.check, host.codec_tools
local M = {}

-- Values of a format, each under its place; one value stands for itself.
local function unpacked(format, bytes, from)
  local values = table.pack(string.unpack(format, bytes, from))
  local next_position = values[values.n]
  values[values.n] = nil
  values.n = nil
  return values, next_position
end

local function bytes_of(view) return view:bytes(1, #view) end

-- A codec of one record per message, for a format with or without a fixed size.
local function record(what, format, max, decode, encode)
  local is_fixed, size = pcall(string.packsize, format)
  if is_fixed then
    if size < 1 then error(what .. ": the format holds no bytes", 3) end
    return tools.new(what, { kind = "fixed", size = size, decode = decode, encode = encode }, size)
  end
  local function decode_view(view)
    local bytes = bytes_of(view)
    -- string.unpack says "data string too short" for a record that has not all arrived.
    local ok, values, next_position = pcall(unpacked, format, bytes)
    if not ok then
      if tostring(values):find("too short", 1, true) or tostring(values):find("unfinished string", 1, true) then
        return nil
      end
      tools.invalid(values)
    end
    return decode(bytes, values), next_position - 1
  end
  return tools.new(what, { kind = "custom", decode_view = decode_view, encode = encode }, max)
end

local function check_format(what, format)
  if type(format) ~= "string" then error(what .. ": a string.pack format is expected", 3) end
  local ok, problem = pcall(string.packsize, format)
  if not ok and not tostring(problem):find("variable", 1, true) then
    error(("%s: %q is not a string.pack format: %s"):format(what, format, problem), 3)
  end
end

-- One string.pack record per message: its value, or a table of its values where there are several.
function M.packed(format, options)
  check_format("codec.packed", format)
  options = check.options("codec.packed", options, { "max" })
  local function decode(bytes, values)
    values = values or unpacked(format, bytes)
    if #values == 1 then return values[1] end
    return values
  end
  local function encode(message)
    if type(message) == "table" then return string.pack(format, table.unpack(message)) end
    return string.pack(format, message)
  end
  return record("codec.packed", format, options.max, decode, encode)
end

-- Named fields in order: codec.struct { { "id", "I4" }, { "name", "s2" }, endian = "big" } ↔ { id = …, name = … }
function M.struct(fields)
  if type(fields) ~= "table" or #fields == 0 then
    error('codec.struct: a list of fields is expected, such as { { "id", "I4" }, { "name", "s2" } }', 2)
  end
  for _, key in ipairs(check.sorted_keys(fields)) do
    if not tonumber(key) and key ~= "endian" and key ~= "max" then
      error(('codec.struct: there is no option "%s"%s'):format(key, check.hint(key, { "endian", "max" })), 2)
    end
  end
  local names, parts = {}, { fields.endian == "little" and "<" or ">" }
  for i, field in ipairs(fields) do
    local name, format = field[1], field[2]
    if type(name) ~= "string" or type(format) ~= "string" then
      error(("codec.struct: field %d is not { name, format }"):format(i), 2)
    end
    check_format(("codec.struct: field %q"):format(name), format)
    names[i], parts[i + 1] = name, format
  end
  local format = table.concat(parts)
  local function decode(bytes, values)
    values = values or unpacked(format, bytes)
    local message = {}
    for i, name in ipairs(names) do message[name] = values[i] end
    return message
  end
  local function encode(message)
    if type(message) ~= "table" then
      error("codec.struct: the message must be a table with the fields " .. table.concat(names, ", "), 0)
    end
    local values = {}
    for i, name in ipairs(names) do
      values[i] = message[name]
      if values[i] == nil then error(("codec.struct: the field %q is missing"):format(name), 0) end
    end
    return string.pack(format, table.unpack(values, 1, #names))
  end
  return record("codec.struct", format, fields.max, decode, encode)
end

-- Records told apart by a leading tag: codec.union { tag = "B", ping = { 1, codec.struct {…} }, … } ↔
-- { type = "ping", … }. Alternatives are codecs of fixed size or variable records; a message that is no table stands
-- in `value`.
function M.union(options)
  if type(options) ~= "table" then error("codec.union: a table of alternatives is expected", 2) end
  local tag_format = options.tag or "B"
  check_format("codec.union: tag", tag_format)
  local tag_size = string.packsize(tag_format)
  local by_tag, by_name, names = {}, {}, {}
  for _, name in ipairs(check.sorted_keys(options)) do
    local entry = options[name]
    if name ~= "tag" and name ~= "max" then
      if type(entry) ~= "table" or math.type(entry[1]) ~= "integer" then
        error(("codec.union: %s is not { tag number, codec }"):format(name), 2)
      end
      local codec = entry[2]
      tools.need_codec("codec.union: " .. name, codec)
      if codec.kind ~= "fixed" and codec.kind ~= "custom" then
        error(("codec.union: %s must be a record (packed, struct, fixed or custom)"):format(name), 2)
      end
      if by_tag[entry[1]] then error(("codec.union: the tag %d stands twice"):format(entry[1]), 2) end
      local alternative = { name = name, tag = entry[1], codec = codec }
      by_tag[entry[1]], by_name[name] = alternative, alternative
      names[#names + 1] = name
    end
  end
  if #names == 0 then error("codec.union: it has no alternatives", 2) end

  local function wrap(name, value)
    if type(value) ~= "table" then return { type = name, value = value } end
    value.type = name
    return value
  end

  local function decode_view(view)
    if #view < tag_size then return nil, tag_size end
    local tag = string.unpack(tag_format, view:bytes(1, tag_size))
    local found = by_tag[tag]
    if not found then tools.invalid(("there is no alternative with the tag %s"):format(tostring(tag))) end
    local codec = found.codec
    if codec.kind == "fixed" then
      local total = tag_size + codec.size
      if #view < total then return nil, total end
      local bytes = view:bytes(tag_size + 1, codec.size)
      return wrap(found.name, codec.decode and codec.decode(bytes) or bytes), total
    end
    local rest = host.text_view(view, tag_size)
    local value, count = codec.decode_view(rest)
    if value == nil then return nil, count and count + tag_size end
    return wrap(found.name, value), count + tag_size
  end

  local function encode(message)
    local found = type(message) == "table" and by_name[message.type]
    if not found then
      local given = type(message) == "table" and message.type or message
      error(("codec.union: type %s is none of %s"):format(tostring(given), table.concat(names, ", ")), 0)
    end
    local body = message.value == nil and message or message.value
    if found.codec.encode then body = found.codec.encode(body) end
    return string.pack(tag_format, found.tag) .. body
  end
  return tools.new("codec.union", { kind = "custom", decode_view = decode_view, encode = encode }, options.max)
end

-- A view of what follows the first n bytes, for decoders inside decoders.
function host.text_view(view, n)
  local rest = { bytes = function(_, i, count) return view:bytes(i + n, count) end }
  for _, name in ipairs { "u8", "i8", "u16", "u16le", "i16", "i16le", "u32", "u32le", "i32", "i32le", "u64", "u64le",
    "i64", "i64le", "f32", "f32le", "f64", "f64le" } do
    rest[name] = function(_, i) return view[name](view, i + n) end
  end
  function rest.find(_, text, from)
    local index = view:find(text, (from or 1) + n)
    return index and index - n
  end
  function rest.starts_with(_, text) return view:bytes(n + 1, #text) == text end
  return setmetatable(rest, { __len = function() return #view - n end })
end

return M
