-- `moonpeer.codec`: how messages stand in the stream of bytes, in both directions; see codec_makers.lua.
--
-- The usual makers stand here for when nothing is set: then none of the chunks behind them is needed.
local host = ...
local lib, meta, setmetatable = host.lib, host.codec, setmetatable

local M = {}

function M.bytes(options)
  if options == nil then return setmetatable({ kind = "bytes", max = 1 << 20 }, meta) end
  return lib.codec_native.bytes(options)
end

function M.lines(options)
  if options == nil then return setmetatable({ kind = "lines", delimiter = "\n", max = 1 << 20 }, meta) end
  return lib.codec_native.lines(options)
end

function M.length_prefixed(options)
  if options == nil then
    return setmetatable({
      kind = "length_prefixed", width = 4, endian = "big", max = 1 << 20, length_includes_header = false,
    }, meta)
  end
  return lib.codec_native.length_prefixed(options)
end

return setmetatable(M, {
  __index = host.later("codec_makers", "find"), __pairs = host.later("codec_makers", "pairs"),
})
