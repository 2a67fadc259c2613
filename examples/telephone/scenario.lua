-- Ten players in a line. Every connection is a real socket, every player a node with a Lua VM of its own.
local network = require "moonpeer.network"
local log = require "moonpeer.log"

local phrase = "send reinforcements we are going to advance"

-- Ten players in a line; `ears(i)` says how likely the i-th one mishears a word.
local function line_of_players(net, ears)
  local players = net:nodes(10, "telephone.lua", function(i)
    return { name = "player-" .. i, mishear = ears and ears(i) or 0 }
  end)
  net:connect(players, network.line())
  return players
end

-- The first player says the phrase; what the last one has heard.
local function play(net, players)
  players[1]:call("say", phrase)
  local last = net:eventually("the last player hears something", "5s", function() return players[10]:call "heard" end)
  log.info(("it began as \"%s\""):format(phrase))
  log.info(("it ended as \"%s\""):format(last))
  return last
end

network.scenario("with good ears, the last player hears what the first one said", function(net)
  local players = line_of_players(net)
  net:expect(play(net, players) == phrase, "the phrase was changed on its way")
end)

network.scenario("one player who mishears is enough", function(net)
  local players = line_of_players(net, function(i) return i == 5 and 1 or 0 end)
  local distorted = "lend three and fourpence we are growing to a dance"
  net:expect(play(net, players) == distorted, "what the last one heard: " .. players[10]:call "heard")
  for i = 2, 10 do
    local heard = players[i]:call "heard"
    net:expect(heard == (i <= 5 and phrase or distorted), ("player %d heard %q"):format(i, heard))
  end
end)

network.scenario("with bad ears all round, everybody still hears what was whispered to them", function(net)
  local players = line_of_players(net, function() return 0.2 end)
  play(net, players)
  for i = 2, 10 do
    local said, heard = players[i - 1]:call "said", players[i]:call "heard"
    net:expect(heard == said, ("player %d heard %q, but was told %q"):format(i, heard, said))
  end
end)

network.scenario("a phrase that starts in the middle goes both ways", function(net)
  local players = line_of_players(net)
  net:expect(players[4]:call("say", "psst") == 2, "there are two neighbours")
  for _, i in ipairs { 1, 10 } do
    net:eventually(players[i].name .. " hears it", "5s", function() return players[i]:call "heard" == "psst" end)
  end
  net:expect(players[4]:call "heard" == nil, "the one who said it does not hear it")
end)
