-- Records of string.pack fields: packed (by position) and struct (by name).
local host = ...
local text, base, formats = host.lib.text, host.lib.codec_base, host.lib.codec_format
local error, type, ipairs, pcall = error, type, ipairs, pcall
local format, pack, unpack_bytes, match = string.format, string.pack, string.unpack, string.match
local pack_list, unpack_list = table.pack, table.unpack

local M = {}

-- What string.pack has against a value, in our words: `(number expected, got nil)` and the like.
local function complaint(cause)
  return match(cause, "%((.-)%)$") or match(cause, "^[^:]*:%-?%d+: (.*)$") or cause
end

-- The values of a record that is all of `bytes`.
local function values_of(layout, bytes)
  local list = pack_list(pcall(unpack_bytes, layout, bytes))
  if not list[1] then base.invalid("a record does not fit its format: " .. complaint(list[2])) end
  if list[list.n] ~= #bytes + 1 then
    base.invalid(format("%d bytes after a record", #bytes + 1 - list[list.n]))
  end
  return list
end

local function single(compiled, max)
  local layout = compiled.layout
  local piece = { size = compiled.size, measure = compiled.measure }
  function piece.decode(bytes) return values_of(layout, bytes)[2] end
  function piece.encode(message)
    local ok, bytes = pcall(pack, layout, message)
    if not ok then error("codec.packed: the value: " .. complaint(bytes), 0) end
    return formats.bounded(bytes, max)
  end
  return piece
end

local function several(compiled, max)
  local layout, count = compiled.layout, compiled.values
  local piece = { size = compiled.size, measure = compiled.measure }
  function piece.decode(bytes)
    local list = values_of(layout, bytes)
    return { unpack_list(list, 2, count + 1) }
  end
  function piece.encode(message)
    if type(message) ~= "table" then
      error(format("codec.packed: a table of %d values is expected, got %s", count, text.got(message)), 0)
    end
    local ok, bytes = pcall(pack, layout, unpack_list(message, 1, count))
    if not ok then
      local place = match(bytes, "bad argument #(%d+)")
      error(format("codec.packed: value %s: %s", place and place - 1 | 0 or "?", complaint(bytes)), 0)
    end
    return formats.bounded(bytes, max)
  end
  return piece
end

-- packed(format, { max? }): one string.pack record per message, big-endian unless the format says otherwise. A record
-- of one value is that value; of several, a table of them: packed "I4" carries 7, packed "I4s2" carries { 7, "name" }.
function M.packed(layout, options)
  local what = "codec.packed"
  text.check(layout, "string", what .. ": the format", 2)
  options = text.options(options, what, { "max" }, 2)
  local max = base.max(options, what, 2)
  local compiled, problem = formats.compile(layout, max)
  if not compiled then error(format("%s %q: %s", what, layout, problem), 2) end
  local piece = compiled.values == 1 and single(compiled, max) or several(compiled, max)
  return formats.codec_of(piece, max)
end

-- Names for the usual types, beside string.pack's own options. (Its "i8" is eight bytes long, hence "int8".)
local aliases = {
  u8 = "I1", u16 = "I2", u32 = "I4", u64 = "I8", int8 = "i1", int16 = "i2", int32 = "i4", int64 = "i8",
  f32 = "f", f64 = "d", bool = "I1",
}

-- A field as the record needs it: its name, its pack option, and whether it is a boolean.
local function field_of(entry, index, seen, max, what)
  local name, kind
  if type(entry) == "table" then name, kind = entry[1], entry[2] end
  if type(name) ~= "string" or type(kind) ~= "string" then
    error(format("%s: field %d must be { \"name\", \"type\" }, got %s", what, index, text.got(entry)), 3)
  end
  if seen[name] then error(format("%s: two fields are named %q", what, name), 3) end
  seen[name] = true
  local option = aliases[kind] or kind
  if match(option, "[<>=!X]") then
    error(format("%s: field %q: type %q: byte order and alignment belong to the struct (its endian)", what, name,
      kind), 3)
  end
  local compiled, problem = formats.compile(option, max)
  if not compiled then
    error(format("%s: field %q: type %q: %s; a type is a string.pack option, or u8 to u64, int8 to int64, f32, f64, "
      .. "bool", what, name, kind, problem), 3)
  end
  if compiled.values ~= 1 then
    error(format("%s: field %q: type %q holds %d values; one is expected", what, name, kind, compiled.values), 3)
  end
  return { name = name, layout = option, boolean = kind == "bool" }
end

-- Which field of a message cannot be packed, and why.
local function blame_field(fields, values, endian)
  for i, field in ipairs(fields) do
    local ok, cause = pcall(pack, endian .. field.layout, values[i])
    if not ok then error(format("codec.struct: field %q: %s", field.name, complaint(cause)), 0) end
  end
end

local function struct_piece(compiled, fields, names, max)
  local layout, count = compiled.layout, #fields
  local piece = { size = compiled.size, measure = compiled.measure, fields = names }
  function piece.decode(bytes)
    local list, message = values_of(layout, bytes), {}
    for i = 1, count do
      local field, value = fields[i], list[i + 1]
      if field.boolean then
        if value > 1 then base.invalid(format("field %q: a bool is 0 or 1, got %d", field.name, value)) end
        value = value == 1
      end
      message[field.name] = value
    end
    return message
  end
  function piece.encode(message)
    if type(message) ~= "table" then error("codec.struct: a table is expected, got " .. text.got(message), 0) end
    local values = {}
    for i = 1, count do
      local field = fields[i]
      local value = message[field.name]
      if value == nil then error(format("codec.struct: field %q is missing", field.name), 0) end
      if field.boolean then value = value and 1 or 0 end
      values[i] = value
    end
    local ok, bytes = pcall(pack, layout, unpack_list(values, 1, count))
    if not ok then
      blame_field(fields, values, ">")
      error("codec.struct: " .. complaint(bytes), 0)
    end
    return formats.bounded(bytes, max)
  end
  return piece
end

-- struct{ { "id", "u32" }, { "name", "s2" }, …, endian = "big", max? }: a record whose message is a table of names.
-- A field that the message has beyond these is not sent.
function M.struct(options)
  local what = "codec.struct"
  if type(options) ~= "table" or #options == 0 then
    error(what .. ": a list of fields is expected, as in codec.struct{ { \"id\", \"u32\" }, { \"name\", \"s2\" } }", 2)
  end
  local count, rest = #options, {}
  for _, key in ipairs(text.sorted_keys(options)) do
    if not (type(key) == "number" and key >= 1 and key <= count) then rest[key] = options[key] end
  end
  text.options(rest, what, { "endian", "max" }, 2)
  local endian = rest.endian == nil and "big" or rest.endian
  if endian ~= "big" and endian ~= "little" then
    error(what .. ": endian must be \"big\" or \"little\", got " .. text.got(endian), 2)
  end
  local max, fields, names, seen = base.max(rest, what, 2), {}, {}, {}
  local layout = endian == "little" and "<" or ">"
  for index = 1, count do
    local field = field_of(options[index], index, seen, max, what)
    fields[index], names[index] = field, field.name
    layout = layout .. field.layout .. " "
  end
  local compiled, problem = formats.compile(layout, max)
  if not compiled then error(what .. ": " .. problem, 2) end
  return formats.codec_of(struct_piece(compiled, fields, names, max), max)
end

return M
