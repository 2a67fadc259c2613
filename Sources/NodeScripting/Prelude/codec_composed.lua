-- Framing and decoding written by the script: framed, custom, and map over any other codec.
local host = ...
local text, base, pieces = host.lib.text, host.lib.codec_base, host.lib.codec_pieces
local error, pairs = error, pairs
local format = string.format
local math_type = math.type

local M = {}

-- framed{ header = n, size = fn(head) → bytes of the whole frame with its header, decode?, encode?, max? }
-- The usual case: the script says how long the frame is that starts here; the engine cuts it. Without `decode` the
-- message is the frame, without `encode` the message must be one. max bounds the whole frame.
function M.framed(options)
  local what = "codec.framed"
  options = text.options(options, what, { "header", "size", "decode", "encode", "max" }, 2)
  local header = options.header
  if math_type(header) ~= "integer" or header < 1 then
    error(what .. ": header must be the whole number of bytes that size looks at, got " .. text.got(header), 2)
  end
  text.check(options.size, "function", what .. ": size", 2)
  local max = base.max(options, what, 2)
  if header > max then error(format("%s: a header of %d bytes is over the max of %d", what, header, max), 2) end
  return base.new {
    kind = "framed", header = header, size_of = options.size, max = max,
    decode = base.optional_function(options, "decode", what, 2),
    encode = base.optional_function(options, "encode", what, 2),
  }
end

-- custom{ decode = fn(view) → nil | nil, need | message, taken, encode?, max? }
-- Full control: look at what has arrived, take what you need. `need` counts all bytes from the start of the view.
-- max bounds what one message may take.
function M.custom(options)
  local what = "codec.custom"
  options = text.options(options, what, { "decode", "encode", "max" }, 2)
  text.check(options.decode, "function", what .. ": decode", 2)
  return base.new {
    kind = "custom", decode_view = options.decode, max = base.max(options, what, 2),
    encode = base.optional_function(options, "encode", what, 2),
  }
end

local function decoded_view(inner, outer)
  return function(view)
    local message, count = inner(view)
    if message == nil then return nil, count end
    local made = outer(message)
    if made == nil then base.invalid("the codec's decode returned nil for a whole message") end
    return made, count
  end
end

local function after(first, second)
  if not (first and second) then return first or second end
  return function(value) return second(first(value)) end
end

local function mapped_piece(piece, decode, encode)
  return {
    size = piece.size, measure = piece.measure, decode = after(piece.decode, decode),
    encode = after(encode, piece.encode),
  }
end

-- map(inner, { decode?, encode? }): what comes out of `inner` goes through `decode`, what is sent goes through `encode`
-- first. The second argument may also be a packed, struct or union codec: it then reads each whole message of `inner`.
function M.map(inner, outer)
  local what = "codec.map"
  base.expect_codec(inner, what .. ": the inner codec", 2)
  local decode, encode
  if base.is_codec(outer) then
    local piece = pieces.of(outer)
    if not piece then
      error(format("%s: a %s codec cannot be inside another's messages; packed, struct, union, fixed and "
        .. "length_prefixed can", what, outer.kind), 2)
    end
    decode, encode = piece.decode, piece.encode
  else
    local options = text.options(outer, what, { "decode", "encode" }, 2)
    decode = base.optional_function(options, "decode", what, 2)
    encode = base.optional_function(options, "encode", what, 2)
    if not decode and not encode then error(what .. ": give it decode, encode or both", 2) end
  end
  local made = {}
  for key, value in pairs(inner) do made[key] = value end
  if encode then
    made.encode = after(function(message) return base.expect_bytes_for(inner, encode(message)) end, inner.encode)
  end
  if decode and inner.kind == "custom" then
    made.decode_view = decoded_view(inner.decode_view, decode)
  elseif decode then
    made.decode = after(inner.decode, decode)
  end
  local piece = pieces.of(inner)
  made.piece = piece and mapped_piece(piece, decode, encode)
  return base.new(made)
end

return M
