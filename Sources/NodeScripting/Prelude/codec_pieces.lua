-- How the codecs that the engine cuts by itself stand inside another one's frame or stream; see codec_format.lua for what
-- a piece is.
--
-- of(codec) → its piece; nil: it cannot be part of another
local host = ...
local text, base = host.lib.text, host.lib.codec_base
local error, type = error, type
local format, pack, sub, unpack = string.format, string.pack, string.sub, string.unpack

local M, made = {}, {}

local function expect_bytes(message)
  if type(message) ~= "string" then error("a string of bytes is expected, got " .. text.got(message), 0) end
end

function made.length_prefixed(codec)
  local width, max = codec.width, codec.max
  if width == "varint" then return nil end
  local extra = codec.length_includes_header and width or 0
  local layout = (codec.endian == "little" and "<I" or ">I") .. width
  local piece = {}
  function piece.measure(view, at)
    if #view < at + width - 1 then return nil, at + width - 1 end
    local length = unpack(layout, view:bytes(at, width)) - extra
    if length < 0 or length > max then base.invalid(format("a length of %d is not one of 0 to %d", length, max)) end
    local last = at + width - 1 + length
    if #view < last then return nil, last end
    return last + 1
  end
  function piece.decode(bytes)
    if #bytes < width then base.invalid("a length is cut short") end
    local length = unpack(layout, bytes) - extra
    if length ~= #bytes - width or length > max then base.invalid("a length does not fit its frame") end
    return sub(bytes, width + 1)
  end
  function piece.encode(message)
    expect_bytes(message)
    if #message > max then error(format("%d bytes are over the codec's max of %d", #message, max), 0) end
    return pack(layout, #message + extra) .. message
  end
  return piece
end

function made.fixed(codec)
  local size = codec.size
  local piece = { size = size }
  function piece.measure(view, at)
    if #view < at + size - 1 then return nil, at + size - 1 end
    return at + size
  end
  function piece.decode(bytes)
    if #bytes ~= size then base.invalid(format("%d bytes where %d are expected", #bytes, size)) end
    return bytes
  end
  function piece.encode(message)
    expect_bytes(message)
    if #message ~= size then error(format("%d bytes where %d are expected", #message, size), 0) end
    return message
  end
  return piece
end

function M.of(codec)
  local make = made[codec.kind]
  if codec.piece == nil and make then codec.piece = make(codec) end
  return codec.piece
end

return M
