-- Sends every message back. Frames: a 4-byte big-endian length, then the message.
local codec = require "moonpeer.codec"

return {
  name = "echo",
  version = 1,
  codec = codec.length_prefixed { width = 4, max = "1MiB" },

  process_message = function(_, conn, message)
    conn:send(message)
  end,
}
