-- Messages of several kinds on one connection, told apart by a tag at their start.
local host = ...
local text, base, formats, pieces = host.lib.text, host.lib.codec_base, host.lib.codec_format, host.lib.codec_pieces
local error, type, ipairs = error, type, ipairs
local format, pack, unpack, sub = string.format, string.pack, string.unpack, string.sub
local math_type = math.type

local M = {}

local tags = { u8 = 1, u16 = 2, u32 = 4 }

-- One variant: { tag, "name", codec? }. Its errors go out through variants_of, union_piece and union.
local function variant_of(entry, index, tag_size, what)
  local tag, name, body
  if type(entry) == "table" then tag, name, body = entry[1], entry[2], entry[3] end
  if math_type(tag) ~= "integer" or type(name) ~= "string" then
    error(format("%s: variant %d must be { tag, \"name\", codec }, got %s", what, index, text.got(entry)), 5)
  end
  if tag < 0 or tag >= 1 << 8 * tag_size then
    error(format("%s: variant %q: the tag %d does not fit %d byte(s)", what, name, tag, tag_size), 5)
  end
  if body == nil then return { tag = tag, name = name, size = 0 } end
  base.expect_codec(body, format("%s: variant %q", what, name), 5)
  local piece = pieces.of(body)
  if not piece then
    error(format("%s: variant %q: a %s codec cannot follow a tag; packed, struct, union, fixed and length_prefixed can",
      what, name, body.kind), 5)
  end
  for _, field in ipairs(piece.fields or {}) do
    if field == "type" then error(format("%s: variant %q: a field cannot be named \"type\"", what, name), 5) end
  end
  return { tag = tag, name = name, piece = piece, size = piece.size, named = piece.fields ~= nil }
end

local function variants_of(options, tag_size, what)
  local by_tag, by_name, names = {}, {}, {}
  for index = 1, #options do
    local variant = variant_of(options[index], index, tag_size, what)
    if by_tag[variant.tag] then error(format("%s: two variants have the tag %d", what, variant.tag), 4) end
    if by_name[variant.name] then error(format("%s: two variants are named %q", what, variant.name), 4) end
    by_tag[variant.tag], by_name[variant.name], names[index] = variant, variant, variant.name
  end
  return by_tag, by_name, names
end

local function union_piece(options, tag_size, layout, max, what)
  local by_tag, by_name, names = variants_of(options, tag_size, what)
  local piece = {}

  local function variant_at(tag)
    return by_tag[tag] or base.invalid(format("no kind of message has the tag %d", tag))
  end

  function piece.measure(view, at)
    if #view < at + tag_size - 1 then return nil, at + tag_size - 1 end
    local variant = variant_at((unpack(layout, view:bytes(at, tag_size))))
    if not variant.piece then return at + tag_size end
    return variant.piece.measure(view, at + tag_size)
  end

  function piece.decode(bytes)
    if #bytes < tag_size then base.invalid("a tag is cut short") end
    local variant = variant_at((unpack(layout, bytes)))
    if not variant.piece then
      if #bytes > tag_size then base.invalid(format("%d bytes after %s", #bytes - tag_size, variant.name)) end
      return { type = variant.name }
    end
    local value = variant.piece.decode(sub(bytes, tag_size + 1))
    if not variant.named then return { type = variant.name, value = value } end
    value.type = variant.name
    return value
  end

  function piece.encode(message)
    if type(message) ~= "table" then error(what .. ": a table is expected, got " .. text.got(message), 0) end
    local name = message.type
    local variant = by_name[name]
    if not variant then
      error(format("%s: no kind of message is of type %s%s", what, text.got(name), (text.hint(name, names))), 0)
    end
    local bytes = pack(layout, variant.tag)
    if variant.piece then
      if variant.named then bytes = bytes .. variant.piece.encode(message)
      else bytes = bytes .. variant.piece.encode(message.value) end
    end
    return formats.bounded(bytes, max)
  end

  -- The longest of all sizes, where every variant has one.
  local all_fixed, longest = true, 0
  for index = 1, #names do
    local size = by_name[names[index]].size
    all_fixed = all_fixed and size ~= nil
    if size and size > longest then longest = size end
  end
  if all_fixed then piece.size_at = function(tag) return tag_size + variant_at(tag).size end end
  piece.longest = tag_size + longest
  return piece
end

-- union{ tag = "u8", { 1, "ping", codec.struct{ … } }, { 2, "data", codec.length_prefixed{ … } }, { 3, "bye" },
--        endian = "big", max? }
-- A message is a table with its `type`. The fields of a struct stand beside it: { type = "ping", nonce = 7 }; what any
-- other codec carries is its `value`: { type = "data", value = "…" }; a variant without a codec is its type alone.
function M.union(options)
  local what = "codec.union"
  if type(options) ~= "table" or #options == 0 then
    error(what .. ": a list of variants is expected, as in codec.union{ { 1, \"ping\", codec.struct{ … } } }", 2)
  end
  local count, rest = #options, {}
  for _, key in ipairs(text.sorted_keys(options)) do
    if not (type(key) == "number" and key >= 1 and key <= count) then rest[key] = options[key] end
  end
  text.options(rest, what, { "tag", "endian", "max" }, 2)
  local tag_size = tags[rest.tag == nil and "u8" or rest.tag]
  if not tag_size then error(what .. ": tag must be \"u8\", \"u16\" or \"u32\", got " .. text.got(rest.tag), 2) end
  local endian = rest.endian == nil and "big" or rest.endian
  if endian ~= "big" and endian ~= "little" then
    error(what .. ": endian must be \"big\" or \"little\", got " .. text.got(endian), 2)
  end
  local max = base.max(rest, what, 2)
  local layout = (endian == "little" and "<I" or ">I") .. tag_size
  local piece = union_piece(options, tag_size, layout, max, what)
  if piece.size_at and piece.longest <= max then
    -- Only fixed sizes: the engine cuts the frames.
    return base.new {
      kind = "framed", header = tag_size, max = max, decode = piece.decode, encode = piece.encode, piece = piece,
      size_of = function(head) return piece.size_at((unpack(layout, head))) end,
    }
  end
  return formats.codec_of(piece, max)
end

return M
