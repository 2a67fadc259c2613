-- The server, and a client that sees the very bytes. What redis-cli and redis-benchmark make of it is tested in
-- Tests/ScriptTests.
local network = require "moonpeer.network"

-- Run inside a node: writes the bytes and returns as many as are expected back, or all until the connection ends.
local exchange = [[
  local address, bytes, expected = ...
  local stream = assert(node:open(address))
  stream:write(bytes)
  if expected then
    local answer = stream:read(expected)
    stream:disconnect()
    return answer
  end
  local parts = {}
  while true do
    local part = stream:receive "5s"
    if not part then return table.concat(parts) end
    parts[#parts + 1] = part
  end
]]

-- A server, and a function that sends bytes to it and expects others back: exactly those.
local function server_and_client(net)
  local server = net:node "redis.lua"
  local client = net:node("redis.lua", { listen = "none" })
  return server, function(bytes, expected)
    local answer = client:eval(exchange, server.address, bytes, #expected)
    net:expect(answer == expected, ("%q was answered with %q, expected %q"):format(bytes, answer, expected))
  end, client
end

-- A request as clients send it.
local function request(...)
  local parts = { "*" .. select("#", ...) .. "\r\n" }
  for _, word in ipairs { ... } do parts[#parts + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n" end
  return table.concat(parts)
end

network.scenario("values are stored, counted and removed", function(net)
  local server, expect = server_and_client(net)
  expect(request("PING"), "+PONG\r\n")
  expect(request("PING", "hello"), "$5\r\nhello\r\n")
  expect(request("set", "key", "\0\r\n$5\255"), "+OK\r\n")
  expect(request("GET", "key"), "$6\r\n\0\r\n$5\255\r\n")
  expect(request("GET", "other"), "$-1\r\n")
  expect(request("INCR", "n"), ":1\r\n")
  expect(request("INCRBY", "n", "41"), ":42\r\n")
  expect(request("DECR", "n"), ":41\r\n")
  expect(request("EXISTS", "n", "n", "other"), ":2\r\n")
  net:expect(server:call("size", 0) == 2, "two keys")
  expect(request("DEL", "n", "key", "other"), ":2\r\n")
  expect(request("DBSIZE"), ":0\r\n")
end)

network.scenario("a pipeline is answered in order, however it is cut", function(net)
  local server, expect, client = server_and_client(net)
  local pipeline, answers = {}, {}
  for i = 1, 200 do
    pipeline[#pipeline + 1] = request("SET", "k" .. i, ("v"):rep(i)) .. request("GET", "k" .. i) .. "INCR counter\r\n"
    answers[#answers + 1] = ("+OK\r\n$%d\r\n%s\r\n:%d\r\n"):format(i, ("v"):rep(i), i)
  end
  expect(table.concat(pipeline), table.concat(answers))

  local answer = client:eval([[
    local address, bytes = ...
    local stream = assert(node:open(address))
    for i = 1, #bytes do
      stream:write(bytes:sub(i, i))
      stream:flush()
    end
    return stream:read(17)
  ]], server.address, request("ECHO", "one by one"))
  net:expect(answer == "$10\r\none by one\r\n", ("%q"):format(answer))
end)

network.scenario("mistakes are worded as Redis words them", function(net)
  local _, expect = server_and_client(net)
  expect(request("GET"), "-ERR wrong number of arguments for 'get' command\r\n")
  expect(request("nope", "a", "b"), "-ERR unknown command 'nope', with args beginning with: 'a' 'b' \r\n")
  expect(request("SET", "k", "v", "NX", "XX"), "-ERR syntax error\r\n")
  expect(request("SET", "k", "v", "EX", "0"), "-ERR invalid expire time in 'set' command\r\n")
  expect(request("SET", "k", "text"), "+OK\r\n")
  expect(request("INCR", "k"), "-ERR value is not an integer or out of range\r\n")
  expect(request("SET", "k", tostring(math.maxinteger)) .. request("INCR", "k"),
    "+OK\r\n-ERR increment or decrement would overflow\r\n")
  expect(request("SELECT", "16"), "-ERR DB index is out of range\r\n")
end)

network.scenario("what is no request is answered, and ends the connection", function(net)
  local server, _, client = server_and_client(net)
  local function expect(bytes, expected)
    local answer = client:eval(exchange, server.address, bytes, nil)
    net:expect(answer == expected, ("%q was answered with %q, expected %q"):format(bytes, answer, expected))
  end
  expect("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n")
  expect("*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n")
  expect("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n")
  expect('SET k "open\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n")
  expect(("x"):rep(70000), "-ERR Protocol error: too big inline request\r\n")
  expect("PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n")
end)

network.scenario("inline requests know quotes", function(net)
  local _, expect = server_and_client(net)
  expect('set key "a b\\x00\\n"\n\r\nget \'key\'\r\n', "+OK\r\n$5\r\na b\0\n\r\n")
end)

network.scenario("a key ends when its time is over, and not before", function(net)
  local server, expect = server_and_client(net)
  -- In one piece: handled at one moment, however busy the machine is.
  expect(request("SET", "k", "v", "PX", "60000") .. request("TTL", "k") .. request("SET", "k", "w", "KEEPTTL")
    .. request("TTL", "k"), "+OK\r\n:60\r\n+OK\r\n:60\r\n")
  expect(request("SET", "k", "x") .. request("TTL", "k") .. request("TTL", "none"), "+OK\r\n:-1\r\n:-2\r\n")
  expect(request("SET", "short", "v", "PX", "20"), "+OK\r\n")
  net:eventually("the timer removes what nobody asks for", "5s", function() return server:call("size", 0) == 1 end)
  expect(request("GET", "short") .. request("GET", "k"), "$-1\r\n$1\r\nx\r\n")
end)

network.scenario("each connection has its database, and databases do not mix", function(net)
  local server, expect = server_and_client(net)
  expect(request("SELECT", "3") .. request("SET", "k", "in 3") .. request("SELECT", "0") .. request("GET", "k"),
    "+OK\r\n+OK\r\n+OK\r\n$-1\r\n")
  expect(request("GET", "k") .. request("DBSIZE"), "$-1\r\n:0\r\n")
  net:expect(server:call("size", 3) == 1, "one key in database 3")
  expect(request("FLUSHALL") .. request("SELECT", "3") .. request("GET", "k"), "+OK\r\n+OK\r\n$-1\r\n")
end)
