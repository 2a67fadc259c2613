local network = require "moonpeer.network"

network.scenario("greeters greet each other", function(net)
  local nodes = net:nodes(2, "greetings.lua")
  net:expect(nodes[1]:call("greet", nodes[2].address, "you") == "hello, you")
  net:expect(nodes[2]:call "count" == 1)
end)
