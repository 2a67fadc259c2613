-- The node that hostile.py attacks: a handshake of its own, an echo, and a report of what it noticed.
local codec, json = require "moonpeer.codec", require "moonpeer.json"

local connects, ends = 0, {}

local function report(node)
  local counts, noticed = node:counts(), {}
  for name, value in pairs(node:heuristics()) do noticed[name] = value end
  return json.encode {
    heuristics = noticed, ends = ends, connects = connects, connected = counts.connected, connecting = counts.connecting,
    lua_bytes = collectgarbage("count") * 1024,
  }
end

return {
  name = "target",
  version = 1,

  args = {
    send_buffer = { type = "size", help = "the kernel's send buffer of each connection; small: a peer that does not read is found out soon" },
  },

  init = function(node, args) node.state.send_buffer = args.send_buffer end,

  codec = codec.length_prefixed { max = 65536 },

  handshake = function(_, conn)
    if conn:read(8) ~= "moonpeer" then error { kind = "refused", message = "not one of us" } end
    conn:write("welcome!")
    return "a friend"
  end,

  on_connect = function(node, conn)
    connects = connects + 1
    if node.state.send_buffer then conn:set_option("send_buffer", node.state.send_buffer) end
  end,

  process_message = function(node, conn, message) conn:send(message == "report" and report(node) or message) end,

  on_disconnect = function(_, _, reason) ends[reason.kind] = (ends[reason.kind] or 0) + 1 end,
}
