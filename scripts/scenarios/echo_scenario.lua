-- What comes back is what was sent, whatever the frames look like.
local network = require "moonpeer.network"

-- Run inside a node: sends each text to the echo at `address` and returns what came back.
local ask = [[
  local address, width, texts = ...
  local codec = require "moonpeer.codec"
  local stream = assert(node:open(address, { codec = codec.length_prefixed { width = tonumber(width) or width } }))
  for _, text in ipairs(texts) do stream:send(text) end
  local answers = {}
  for i = 1, #texts do answers[i] = assert(stream:receive "10s") end
  stream:disconnect()
  return answers
]]

for _, width in ipairs { "1", "2", "3", "4", "8", "varint" } do
  network.scenario("a length of width " .. width .. " comes back as it went", function(net)
    local server = net:node("../echo.lua", { width = width })
    local client = net:node("../echo.lua", { listen = "none" })
    local texts = { "hello", "", "\0\r\n\255", ("x"):rep(255) }
    if width ~= "1" then texts[#texts + 1] = ("y"):rep(65535) end
    local answers = client:eval(ask, server.address, width, texts)
    for i, text in ipairs(texts) do net:expect(answers[i] == text, "answer " .. i .. " differs") end
  end)
end

network.scenario("a width that does not exist keeps the node from starting", function(net)
  local ok, problem = pcall(net.node, net, "../echo.lua", { width = "5" })
  net:expect(not ok, "it started")
  net:expect(tostring(problem):find("width must be 1, 2, 3, 4, 8", 1, true), tostring(problem))
end)
