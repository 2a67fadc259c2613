-- Six players who all know each other, one potato.
local network = require "moonpeer.network"
local log = require "moonpeer.log"

-- Who has held the potato at which hop, from everybody's ledger: hop → list of names; and the highest hop.
local function holders(players)
  local by_hop, highest = {}, 0
  for _, player in ipairs(players) do
    for _, hop in ipairs(player:call "ledger") do
      by_hop[hop] = by_hop[hop] or {}
      table.insert(by_hop[hop], player.name)
      highest = math.max(highest, hop)
    end
  end
  return by_hop, highest
end

-- The players are asked one after the other while the potato flies on, so nobody sees all of them at one moment. But a
-- hop up to which the potato had come at the last look is over by now, and must be in exactly one ledger; a later one
-- may be missing, but never be in two.
local function exactly_one_holder(players)
  local over = 0
  return function()
    local by_hop, highest = holders(players)
    for hop = 1, highest do
      local names = by_hop[hop] or {}
      if #names > 1 then return false, ("hop %d was held by %s"):format(hop, table.concat(names, " and ")) end
      if #names == 0 and hop <= over then return false, ("nobody has held hop %d of %d"):format(hop, highest) end
    end
    over = highest
    return true
  end
end

local function players_in_a_mesh(net, count)
  local players = net:nodes(count, "hot_potato.lua", function(i) return { name = "player-" .. i, hold = "2ms" } end)
  net:connect(players, network.mesh())
  return players
end

network.scenario("every hop has exactly one holder, and all agree on the loser", function(net)
  local limit = 150
  local players = players_in_a_mesh(net, 6)
  net:always("exactly one holder", exactly_one_holder(players))
  for _, player in ipairs(players) do
    net:sometimes(player.name .. " has had the potato", function() return #player:call "ledger" > 0 end)
  end
  players[1]:call("start", limit)
  local loser = net:eventually("somebody is burnt", "30s", function() return players[1]:call "loser" end)
  log.info(("after %d hops %s is burnt"):format(limit, loser))
  for _, player in ipairs(players) do
    net:eventually(player.name .. " knows", "5s", function() return player:call "loser" == loser end)
  end
  local by_hop, highest = holders(players)
  net:expect(highest == limit, ("the game ended at hop %d"):format(highest))
  net:expect(by_hop[limit][1] == loser, "the loser is who held the last hop")
end)

network.scenario("nobody who leaves takes the potato with them", function(net)
  local players = players_in_a_mesh(net, 5)
  local staying = { table.unpack(players, 1, 3) }
  players[1]:call("start", 400)
  for i = 4, 5 do
    net:eventually(players[i].name .. " has had the potato", "10s", function() return #players[i]:call "ledger" > 0 end)
    players[i]:call "leave"
  end
  local loser = net:eventually("somebody is burnt", "30s", function() return players[1]:call "loser" end)
  for _, player in ipairs(staying) do
    net:eventually(player.name .. " knows", "5s", function() return player:call "loser" == loser end)
    net:eventually("the other two are gone", "5s", function() return #player:connections() == 2 end)
  end
end)
