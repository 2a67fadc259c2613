-- Somebody at a terminal, for the scenarios: connects to a server that speaks lines, types, and keeps what is shown.
local codec = require "moonpeer.codec"

local stream

return {
  name = "terminal",
  config = { listen = "none" },

  init = function(node) node.state.screen, node.state.is_open = {}, false end,

  calls = {
    open = function(node, address)
      stream = assert(node:open(address, { codec = codec.lines() }))
      local state = node.state
      state.is_open = true
      node:spawn(function()
        repeat
          local line = stream:receive()
          state.screen[#state.screen + 1] = line
        until not line
        state.is_open = false
      end)
    end,
    -- type(text): as it is, so that several lines can go out in one piece
    type = function(_, text) stream:write(text) end,
    hang_up = function() stream:disconnect() end,
    screen = function(node) return node.state.screen end,
    is_open = function(node) return node.state.is_open end,
  },
}
