-- The kinds that the engine cuts and frames by itself: messages never pass through Lua on their way.
local host = ...
local text, base = host.lib.text, host.lib.codec_base
local error, format, math_type = error, string.format, math.type

local M = {}

-- bytes{ max? }: chunks as they come; where one ends means nothing.
function M.bytes(options)
  options = text.options(options, "codec.bytes", { "max" }, 2)
  return base.new { kind = "bytes", max = base.max(options, "codec.bytes", 2) }
end

-- lines{ delimiter = "\n", max? }: text up to the delimiter, which is not part of the message.
function M.lines(options)
  options = text.options(options, "codec.lines", { "delimiter", "max" }, 2)
  local delimiter = options.delimiter
  if delimiter == nil then delimiter = "\n" end
  text.check(delimiter, "string", "codec.lines: delimiter", 2)
  if delimiter == "" then error("codec.lines: delimiter cannot be empty", 2) end
  return base.new { kind = "lines", delimiter = delimiter, max = base.max(options, "codec.lines", 2) }
end

local widths = { [1] = true, [2] = true, [3] = true, [4] = true, [8] = true, varint = true }

-- length_prefixed{ width = 4, endian = "big", max?, length_includes_header = false }
-- width is 1, 2, 3, 4 or 8 bytes, or "varint" (LEB128, seven bits a byte, low ones first). max bounds the message
-- without its header; by default 1 MiB, or what the width can say.
function M.length_prefixed(options)
  local what = "codec.length_prefixed"
  options = text.options(options, what, { "width", "endian", "max", "length_includes_header" }, 2)
  local width, endian = options.width, options.endian
  if width == nil then width = 4 end
  if math_type(width) == "float" and width % 1 == 0 then width = width // 1 | 0 end
  if not widths[width] then
    error(what .. ": width must be 1, 2, 3, 4, 8 or \"varint\", got " .. text.got(width), 2)
  end
  if endian == nil then endian = "big" end
  if endian ~= "big" and endian ~= "little" then
    error(what .. ": endian must be \"big\" or \"little\", got " .. text.got(endian), 2)
  end
  local includes = text.optional(options.length_includes_header, "boolean", what .. ": length_includes_header", 2)
  if width == "varint" and includes then
    error(what .. ": length_includes_header has no meaning with a varint, whose own length varies", 2)
  end
  local max = base.max(options, what, 2)
  local extra = includes and width or 0
  if width == 1 or width == 2 or width == 3 then
    local capacity = (1 << 8 * width) - 1 - extra
    if options.max ~= nil and max > capacity then
      error(format("%s: max is %d, but a width of %d can say no more than %d", what, max, width, capacity), 2)
    end
    if max > capacity then max = capacity end
  end
  return base.new {
    kind = "length_prefixed", width = width, endian = endian, max = max, length_includes_header = includes or false,
  }
end

-- fixed(n): every message is n bytes.
function M.fixed(size)
  if math_type(size) ~= "integer" or size < 1 then
    error("codec.fixed: the size of a message in bytes is expected, got " .. text.got(size), 2)
  end
  base.expect_bounded(size, "codec.fixed: the size of a message", 2)
  return base.new { kind = "fixed", size = size, max = size }
end

return M
