-- Sends every message back. A frame is a length, then so many bytes; how wide the length is, is an argument:
--   moonpeer run scripts/echo.lua --set width=varint
local codec = require "moonpeer.codec"

-- One codec for all connections, made when the arguments are known.
local framing

return {
  name = "echo",
  version = 1,

  args = {
    width = { default = "4", help = "bytes of a frame's length: 1, 2, 3, 4, 8, or varint" },
    endian = { default = "big", help = "order of those bytes: big or little" },
    max = { type = "size", help = "longest message; by default 1 MiB, or what the width can say" },
  },

  init = function(_, args)
    framing = codec.length_prefixed { width = tonumber(args.width) or args.width, endian = args.endian, max = args.max }
  end,

  codec = function() return framing end,

  process_message = function(_, conn, message)
    -- Parks while the peer does not read: then nothing more is taken from it either.
    conn:send(message)
  end,
}
