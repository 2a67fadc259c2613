-- A small Redis: strings, counters, expiry, sixteen databases. Talk to it with redis-cli, redis-benchmark or nc.
--   moonpeer run examples/redis/redis.lua --listen 127.0.0.1:6379
local commands = require "commands"
local resp = require "resp"
local Store = require "store"

return {
  name = "redis",
  version = 1,
  codec = resp.codec,
  -- Redis keeps silent connections, and takes many from one machine. What is stored has to fit into script_memory.
  config = { idle_timeout = 0, max_connections = 1000, max_connections_per_ip = 1000, script_memory = "512MiB" },

  init = function(node)
    local now = function() return node:now() end
    node.state.databases = {}
    for index = 0, 15 do node.state.databases[index] = Store.new(now) end
  end,

  on_connect = function(_, conn) conn.state.database = 0 end,

  process_message = function(node, conn, request)
    if request.problem then
      conn:send(resp.error(request.problem))
      return conn:disconnect(request.problem)
    end
    -- An empty line is no request.
    if #request == 0 then return end
    -- One write for each pass over what has arrived: the replies to a pipeline leave together.
    conn:send(commands.run(node, conn, request))
    if conn.state.has_quit then conn:disconnect "quit" end
  end,

  timers = {
    expire = {
      every = "1s",
      run = function(node)
        for index = 0, 15 do node.state.databases[index]:sweep() end
      end,
    },
  },

  calls = {
    -- size(index) → how many keys that database has
    size = function(node, index) return node.state.databases[index].size end,
  },
}
