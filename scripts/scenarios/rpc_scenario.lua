-- Two nodes that call each other.
local network = require "moonpeer.network"

local function pair(net)
  return net:node "../rpc.lua", net:node "../rpc.lua"
end

network.scenario("a call is answered", function(net)
  local server, client = pair(net)
  net:expect(client:call("call", server.address, "add", { 19, 23 }) == 42, "19 + 23")
  net:expect(client:call("call", server.address, "echo", { "höß\0\"" }) == "höß\0\"", "any text")
  net:expect(client:call("call", server.address, "echo", { { 1, { 2 } } })[2][1] == 2, "a structure")
end)

network.scenario("an error is an answer, and the connection lives on", function(net)
  local server, client = pair(net)
  local function error_of(method, params)
    local result, problem = client:call("call", server.address, method, params)
    net:expect(result == nil and problem, method .. " should have failed")
    return problem
  end
  net:expect(error_of("divide", { 1, 0 }).code == "divide_by_zero")
  net:expect(error_of("shutdown", {}).code == "unknown_method")
  net:expect(error_of("add", { 1 }).message:find "arithmetic", "what Lua has to say reaches the caller")
  net:expect(error_of("add", { 1e308, 1e308 }).message, "a result that JSON cannot say")
  net:expect(client:call("call", server.address, "add", { 1, 2 }) == 3)
  net:expect(#client:connections() == 1, "one connection for all")
end)

network.scenario("many calls at once, in both directions, each with its own answer", function(net)
  local server, client = pair(net)
  client:call("call", server.address, "add", { 0, 0 })
  -- The server calls back over the connection that the client made.
  local back = server:connections()[1].address
  local code = [[
    local address, factor = ...
    local jobs, call = {}, require "rpc".calls.call
    for i = 1, 40 do
      -- The first ones are the slowest: the answers come in another order.
      jobs[i] = function()
        call(node, address, "sleep", { (40 - i) / 1000 })
        return call(node, address, "add", { i * factor, 0 })
      end
    end
    return node:all(jobs)
  ]]
  for _, side in ipairs { { client, server.address, 3 }, { server, back, 5 } } do
    local sums = side[1]:eval(code, side[2], side[3])
    for i = 1, 40 do net:expect(sums[i] == i * side[3], "sum " .. i) end
  end
end)

network.scenario("a call that takes too long is given up, and its late answer harms nobody", function(net)
  local server, client = pair(net)
  local result, problem = client:call("call", server.address, "sleep", { 0.2 }, 0.02)
  net:expect(result == nil and problem.code == "timeout", problem and problem.code)
  net:expect(client:call("call", server.address, "sleep", { 0.25 }) == "slept", "the late answer came in between")
  net:expect(client:call("call", server.address, "add", { 2, 3 }) == 5)
end)

network.scenario("a peer that goes away ends the calls to it", function(net)
  local server, client = pair(net)
  client:call("call", server.address, "add", { 0, 0 })
  net:at("0s", function()
    net:eventually("the request has arrived", "5s", function() return server:stats().messages_received == 2 end)
    server:crash()
  end)
  local result, problem = client:call("call", server.address, "sleep", { 20 })
  net:expect(result == nil and problem.code == "closed", problem and problem.code)
end)

network.scenario("what is no message ends the connection", function(net)
  local server, client = pair(net)
  local answer = client:eval([[
    local codec = require "moonpeer.codec"
    local stream = assert(node:open(..., { codec = codec.length_prefixed() }))
    stream:send '{"method":"add"}'
    local _, why = stream:receive "5s"
    return why
  ]], server.address)
  net:expect(answer == "closed", tostring(answer))
  net:eventually("it is counted", "2s", function() return server:heuristics().decode_errors == 1 end)
end)
