-- The three things that can happen over the limit. A rate of one in 1000 seconds keeps the clock out of the counts.
local network = require "moonpeer.network"

local slowly = 0.001

local function connected(net, server)
  local client = net:node "support/terminal.lua"
  client:call("open", server.address)
  return client
end

local function type_lines(client, count)
  local lines = {}
  for i = 1, count do lines[i] = "line " .. i .. "\n" end
  client:call("type", table.concat(lines))
end

local function count_served(client)
  local count = 0
  for _, line in ipairs(client:call "screen") do
    if line:find "^ok: " then count = count + 1 end
  end
  return count
end

network.scenario("drop: the burst is served, the rest is thrown away", function(net)
  local server = net:node("../rate_limit.lua", { rate = slowly, burst = 5, over = "drop" })
  local client = connected(net, server)
  net:always("no more than the burst is served", function() return count_served(client) <= 5 end)
  type_lines(client, 50)
  net:eventually("45 are dropped", "5s", function() return server:call "dropped" == 45 end)
  net:eventually("5 are served", "5s", function() return count_served(client) == 5 end)
  net:expect(client:call "is_open", "the connection lives on")
end)

network.scenario("disconnect: the burst is served, then the connection ends with a word", function(net)
  local server = net:node("../rate_limit.lua", { rate = slowly, burst = 3, over = "disconnect" })
  local client, other = connected(net, server), connected(net, server)
  type_lines(client, 10)
  net:eventually("the connection ends", "5s", function() return not client:call "is_open" end)
  local screen = client:call "screen"
  net:expect(count_served(client) == 3, "3 are served: " .. table.concat(screen, " | "))
  net:expect(screen[4] == "error: too many messages" and #screen == 4, table.concat(screen, " | "))
  type_lines(other, 3)
  net:eventually("everybody has a bucket of their own", "5s", function() return count_served(other) == 3 end)
end)

network.scenario("wait: all are served, no faster than the rate", function(net)
  local server = net:node("../rate_limit.lua", { rate = 50, burst = 5, over = "wait" })
  local client = connected(net, server)
  local start = client:eval "node:now()"
  type_lines(client, 20)
  net:eventually("all are served", "10s", function() return count_served(client) == 20 end)
  local took = client:eval "node:now()" - start
  net:expect(took >= 15 / 50, ("15 messages beyond the burst, at 50 a second, took %.3f s"):format(took))
end)

network.scenario("wait: what waits stays with the sender", function(net)
  local server = net:node("../rate_limit.lua", { rate = slowly, burst = 3, over = "wait" })
  local client = net:node "support/terminal.lua"
  client:eval([[
    local stream = assert(node:open(...))
    local state = node.state
    state.sent = 0
    -- write() parks while the queue is full, so `sent` stands still when nobody takes anything any more.
    node:spawn(function()
      for _ = 1, 10000 do
        stream:write(("x"):rep(9999) .. "\n")
        state.sent = state.sent + 1
      end
    end)
  ]], server.address)
  local before, still
  net:eventually("the sender is stopped", "10s", function()
    local sent = client:eval "node.state.sent"
    still = sent == before and still + 1 or 0
    before = sent
    return still == 5 and server:stats().messages_received == 4
  end)
  -- The kernel's buffers for the two sockets take some megabytes of the hundred; the server takes none of them.
  net:expect(before < 3000, ("%d of 10000 lines are gone, and only 4 were handled"):format(before))
end)

network.scenario("an argument that makes no sense keeps the node from starting", function(net)
  local ok, problem = pcall(net.node, net, "../rate_limit.lua", { over = "panic" })
  net:expect(not ok and tostring(problem):find("over must be wait, drop or disconnect", 1, true), tostring(problem))
end)
