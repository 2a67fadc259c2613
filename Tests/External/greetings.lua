-- Answers "hello, <name>" to every name, and counts.
local codec = require "moonpeer.codec"

return {
  name = "greeter",
  codec = codec.lines(),
  init = function(node) node.state.count = 0 end,
  process_message = function(node, conn, name)
    node.state.count = node.state.count + 1
    conn:send("hello, " .. name)
  end,
  calls = {
    count = function(node) return node.state.count end,
    greet = function(node, address, name) return assert(node:connect(address)):request(name) end,
  },
}
