-- What every codec is: a table of plain fields that say how the engine cuts, and functions where Lua has to work.
--
-- kind     "bytes" | "lines" | "length_prefixed" | "fixed" | "framed" | "custom"
-- max      the longest message, in bytes (framed, custom: the longest frame)
-- width, endian, length_includes_header, delimiter, size      as the kind needs them
-- header, size_of(head) → bytes of the whole frame            framed
-- decode_view(view) → nil | nil, need in all | message, taken  custom
-- decode(bytes) → message     what is done with each cut frame; nil: the bytes are the message
-- encode(message) → bytes     the reverse; nil: the message is the bytes. For framed and custom, whole wire bytes.
-- piece    how the codec is used inside another (codec_format.lua): asked for through codec_pieces.of
local host = ...
local text = host.lib.text
local error, type, getmetatable, setmetatable, tostring = error, type, getmetatable, setmetatable, tostring
local format = string.format

local Codec = host.codec

-- No frame is longer, whatever a codec says: the engine's Framing.largest.
local largest = 1 << 40
local M = { default_max = 1 << 20 }

function M.new(fields)
  return setmetatable(fields, Codec)
end

function M.is_codec(value)
  return getmetatable(value) == Codec
end

-- Breaks the connection whose bytes are being decoded.
function M.invalid(message)
  error(host.error.new("decode", message == nil and "invalid message" or tostring(message)), 0)
end

-- The bound of a codec: at least 1 byte, by default 1 MiB.
function M.max(options, what, level)
  if options.max == nil then return M.default_max end
  local max = text.size(options.max, what .. ": max", level + 1)
  if max < 1 then error(what .. ": max must be at least 1 byte", level + 1) end
  M.expect_bounded(max, what .. ": max", level + 1)
  return max
end

-- A size that the engine can count with.
function M.expect_bounded(size, what, level)
  if size <= largest then return end
  error(format("%s can be at most 1024GiB, got %d bytes; what a peer may make a node hold is bounded by it, so say how "
    .. "long a message can really be", what, size), level + 1)
end

function M.optional_function(options, key, what, level)
  local value = text.optional(options[key], "function", format("%s: %s", what, key), level + 1)
  return value
end

function M.expect_codec(value, what, level)
  if M.is_codec(value) then return value end
  local hint = type(value) == "function" and "; call it, as in codec.lines()" or ""
  error(format("%s must be a codec, got %s%s", what, text.got(value), hint), level + 1)
end

-- What a script's encoder made for `inner`: bytes, unless `inner` has an encoder of its own that takes anything.
function M.expect_bytes_for(inner, value)
  if inner.encode or type(value) == "string" then return value end
  error("codec.map: encode must return a string of bytes, got " .. text.got(value), 0)
end

return M
