-- Two and three people in the room, typing what terminals type.
local network = require "moonpeer.network"

-- A visitor who has connected; `name` is typed where it is given.
local function visitor(net, room, name)
  local terminal = net:node("support/terminal.lua")
  terminal:call("open", room.address)
  if name then terminal:call("type", name .. "\n") end
  return terminal
end

local function sees(net, terminal, line)
  net:eventually("the screen shows: " .. line, "5s", function()
    local screen = terminal:call "screen"
    for _, shown in ipairs(screen) do
      if shown == line then return true end
    end
    return false, table.concat(screen, " | ")
  end)
end

network.scenario("people hear each other, and not themselves", function(net)
  local room = net:node "../chat.lua"
  local ann = visitor(net, room, "ann")
  sees(net, ann, "* welcome, ann; /who shows who is here, /quit leaves")
  local bob = visitor(net, room, "bob")
  sees(net, ann, "* bob has joined")
  -- A terminal that ends lines with \r\n, and two lines in one piece.
  bob:call("type", "hello there\r\nhow are you?\r\n")
  sees(net, ann, "bob: hello there")
  sees(net, ann, "bob: how are you?")
  ann:call("type", "fine\n/who\n")
  sees(net, bob, "ann: fine")
  sees(net, ann, "* here: ann, bob")
  for _, line in ipairs(bob:call "screen") do net:expect(not line:find "^bob:", "bob heard himself: " .. line) end
end)

network.scenario("whoever leaves is missed, however they leave", function(net)
  local room = net:node "../chat.lua"
  local ann = visitor(net, room, "ann")
  sees(net, ann, "* welcome, ann; /who shows who is here, /quit leaves")
  local bob, cat = visitor(net, room, "bob"), visitor(net, room, "cat")
  sees(net, ann, "* bob has joined")
  sees(net, ann, "* cat has joined")
  bob:call("type", "/quit\n")
  sees(net, bob, "* bye")
  sees(net, ann, "* bob has left")
  net:eventually("bob's connection ends", "5s", function() return not bob:call "is_open" end)
  cat:call "hang_up"
  sees(net, ann, "* cat has left")
  net:expect(#room:call "who" == 1, "only ann is here")
end)

network.scenario("a name is one's own, and looks like a name", function(net)
  local room = net:node "../chat.lua"
  local ann = visitor(net, room, "ann")
  sees(net, ann, "* welcome, ann; /who shows who is here, /quit leaves")
  local other = visitor(net, room, "Ann")
  sees(net, other, "* somebody is called ann already")
  other:call("type", "two words\nbob\n")
  sees(net, other, "* a name is 1 to 20 letters, digits, - or _")
  sees(net, ann, "* bob has joined")

  local stubborn = visitor(net, room)
  stubborn:call("type", "a b\nann\n!\n")
  net:eventually("three bad names end it", "5s", function() return not stubborn:call "is_open" end)
  for _, line in ipairs(ann:call "screen") do net:expect(not line:find "has left", "one who never came has left: " .. line) end
end)
