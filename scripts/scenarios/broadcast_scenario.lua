-- Every node hears everything once, over every shape of network.
local network = require "moonpeer.network"

local function texts(node)
  local list = {}
  for i, heard in ipairs(node:call "heard") do list[i] = heard.text end
  table.sort(list)
  return table.concat(list, ",")
end

-- Lets the first and the last node publish, and waits until everybody has heard everybody else.
local function gossip(net, count, topology)
  local nodes = net:nodes(count, "../broadcast.lua")
  local edges = net:connect(nodes, topology)
  net:always("nobody hears anything twice", function()
    for _, node in ipairs(nodes) do
      local all = texts(node)
      if all:find "first,first" or all:find "last,last" then return false, node.name .. " heard " .. all end
    end
    return true
  end)
  nodes[1]:call("publish", "first")
  nodes[count]:call("publish", "last")
  for i, node in ipairs(nodes) do
    local expected = i == 1 and "last" or i == count and "first" or "first,last"
    net:eventually(node.name .. " has heard " .. expected, "10s", function() return texts(node) == expected, texts(node) end)
  end
  -- Each message crosses every connection once or, where two nodes send it to each other at once, twice. All but the
  -- count - 1 first arrivals are duplicates. They are still arriving, so: at least.
  local least = 2 * (edges - (count - 1))
  net:eventually("the rest arrived as duplicates", "10s", function()
    local duplicates = 0
    for _, node in ipairs(nodes) do duplicates = duplicates + node:call "duplicates" end
    return duplicates >= least, ("%d of at least %d"):format(duplicates, least)
  end)
end

network.scenario("a ring", function(net) gossip(net, 8, network.ring()) end)
network.scenario("a mesh", function(net) gossip(net, 6, network.mesh()) end)
network.scenario("a random network", function(net) gossip(net, 12, network.random { degree = 3, seed = 7 }) end)

network.scenario("in a line the hops are counted", function(net)
  local nodes = net:nodes(5, "../broadcast.lua")
  net:connect(nodes, network.line())
  net:expect(nodes[1]:call("publish", "psst") == 1, "the first has one neighbour")
  net:eventually("it is four hops to the last", "5s", function()
    local heard = nodes[5]:call "heard"
    return heard[1] and heard[1].hops == 4
  end)
end)

network.scenario("a node that joins by its seeds hears the rest", function(net)
  local first = net:node "../broadcast.lua"
  local second = net:node("../broadcast.lua", { seeds = first.address })
  net:eventually("they are connected", "5s", function()
    return #first:connections() == 1 and #second:connections() == 1
  end)
  first:call("publish", "welcome")
  net:eventually("the newcomer hears it", "5s", function() return texts(second) == "welcome" end)
end)
