-- moonpeer.codec: how bytes become messages. A codec is a table the engine cuts by, with the Lua work beside it.
local host = ...
local check, size_of_text = host.check, host.text.size

local M = {}
local Codec = { __name = "codec", __metatable = false }
Codec.__index = Codec
local DEFAULT_MAX = 1 << 20

local function make(what, fields, max)
  fields.max = max == nil and DEFAULT_MAX or size_of_text(max, what .. ": max")
  if fields.max < 1 then error(what .. ": max must be at least 1 byte", 3) end
  return setmetatable(fields, Codec)
end

local codecs = setmetatable({}, { __mode = "k" })
local function new(what, fields, max)
  local codec = make(what, fields, max)
  codecs[codec] = true
  return codec
end

function M.is_codec(value) return codecs[value] == true end

local function need_codec(what, value)
  if not codecs[value] then error(("%s: a codec is expected, got %s"):format(what, type(value)), 3) end
  return value
end

local function need_function(what, name, value)
  if not check.is_callable(value) then
    error(("%s: %s must be a function, got %s"):format(what, name, type(value)), 3)
  end
  return value
end

-- Chunks as they come.
function M.bytes(options)
  options = check.options("codec.bytes", options, { "max" })
  return new("codec.bytes", { kind = "bytes" }, options.max)
end

-- Text up to a delimiter, which is not part of the message.
function M.lines(options)
  options = check.options("codec.lines", options, { "delimiter", "max" })
  local delimiter = options.delimiter or "\n"
  if type(delimiter) ~= "string" or delimiter == "" then
    error("codec.lines: delimiter must be a string of at least one byte", 2)
  end
  return new("codec.lines", { kind = "lines", delimiter = delimiter }, options.max)
end

local widths = { [1] = true, [2] = true, [3] = true, [4] = true, [8] = true, varint = true }

-- A length, then so many bytes.
function M.length_prefixed(options)
  options = check.options("codec.length_prefixed", options, { "width", "endian", "max", "length_includes_header" })
  local width, endian = options.width or 4, options.endian or "big"
  if not widths[width] then
    error(('codec.length_prefixed: width is 1, 2, 3, 4, 8 or "varint", got %s'):format(tostring(width)), 2)
  end
  if endian ~= "big" and endian ~= "little" then
    error(('codec.length_prefixed: endian is "big" or "little", got %s'):format(tostring(endian)), 2)
  end
  local includes = options.length_includes_header or false
  if type(includes) ~= "boolean" then error("codec.length_prefixed: length_includes_header is true or false", 2) end
  if includes and width == "varint" then
    error("codec.length_prefixed: a varint length cannot include its own header", 2)
  end
  return new("codec.length_prefixed",
    { kind = "length_prefixed", width = width, endian = endian, length_includes_header = includes }, options.max)
end

-- Messages of n bytes each.
function M.fixed(n)
  n = size_of_text(n, "codec.fixed: n")
  if n < 1 then error("codec.fixed: n must be at least 1 byte", 2) end
  return new("codec.fixed", { kind = "fixed", size = n }, n)
end

-- Another codec's messages, passed through functions of the author's.
function M.map(inner, options)
  need_codec("codec.map", inner)
  options = check.options("codec.map", options, { "decode", "encode" })
  local decode = options.decode and need_function("codec.map", "decode", options.decode)
  local encode = options.encode and need_function("codec.map", "encode", options.encode)
  local fields = {}
  for key, value in pairs(inner) do fields[key] = value end
  local inner_decode, inner_encode, inner_view = inner.decode, inner.encode, inner.decode_view
  if decode and inner_view then
    fields.decode_view = function(view)
      local message, count = inner_view(view)
      if message == nil then return nil, count end
      return decode(message), count
    end
  elseif decode then
    fields.decode = inner_decode and function(bytes) return decode(inner_decode(bytes)) end or decode
  end
  if encode then
    fields.encode = inner_encode and function(message) return inner_encode(encode(message)) end or encode
  end
  return new("codec.map", fields, inner.max)
end

-- How long is the frame that starts here? Bodies are cut natively.
function M.framed(options)
  options = check.options("codec.framed", options, { "header", "max", "size", "decode", "encode" })
  local header = options.header
  if math.type(header) ~= "integer" or header < 1 then
    error("codec.framed: header must be the number of bytes that size needs to see, at least 1", 2)
  end
  need_function("codec.framed", "size", options.size)
  if options.decode then need_function("codec.framed", "decode", options.decode) end
  if options.encode then need_function("codec.framed", "encode", options.encode) end
  return new("codec.framed", { kind = "framed", header = header, size_of = options.size, decode = options.decode,
    encode = options.encode }, options.max)
end

-- Full control: look at what has arrived, take what you need.
function M.custom(options)
  options = check.options("codec.custom", options, { "max", "decode", "encode" })
  need_function("codec.custom", "decode", options.decode)
  if options.encode then need_function("codec.custom", "encode", options.encode) end
  return new("codec.custom", { kind = "custom", decode_view = options.decode, encode = options.encode }, options.max)
end

-- Called by a decoder: these bytes are no message.
function M.invalid(message)
  error(host.error.new("decode", tostring(message or "the bytes are no message")), 0)
end

M.new, M.need_codec = nil, nil
host.codec_tools = { new = new, need_codec = need_codec, invalid = M.invalid }
local records = host.chunk("codec_records")
M.packed, M.struct, M.union = records.packed, records.struct, records.union

return M
