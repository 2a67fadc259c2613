-- What the commands do. Replies and errors are worded as Redis 7.0 words them, because clients compare them.
local resp = require "resp"

local ok, null = resp.status "OK", resp.null
local not_an_integer = resp.error "ERR value is not an integer or out of range"
local syntax_error = resp.error "ERR syntax error"

local function store_of(node, conn) return node.state.databases[conn.state.database] end

-- ---- the connection

-- name → { count, run(node, conn, …) }: the arguments with the name itself, exactly so many, or if negative at least.
local commands = {}

commands.ping = { -1, function(_, _, text, more)
  if more then return resp.error "ERR wrong number of arguments for 'ping' command" end
  return text or resp.status "PONG"
end }

commands.echo = { 2, function(_, _, text) return text end }

commands.quit = { -1, function(_, conn)
  conn.state.has_quit = true
  return ok
end }

commands.select = { 2, function(_, conn, index)
  index = resp.whole(index)
  if not index then return not_an_integer end
  if index < 0 or index > 15 then return resp.error "ERR DB index is out of range" end
  conn.state.database = index
  return ok
end }

-- ---- values

commands.get = { 2, function(node, conn, key) return store_of(node, conn):get(key) or null end }

local units = { EX = 1, PX = 1000 }

-- The options behind SET key value → { NX, XX, GET, KEEPTTL, expiry }, or nil, what is wrong
local function set_options(now, ...)
  local options, words, i = {}, { ... }, 1
  while words[i] do
    local word = words[i]:upper()
    if units[word] and words[i + 1] and not options.expiry and not options.KEEPTTL then
      local amount = resp.whole(words[i + 1])
      if not amount then return nil, not_an_integer end
      if amount <= 0 then return nil, resp.error "ERR invalid expire time in 'set' command" end
      options.expiry = now + amount / units[word]
      i = i + 1
    elseif word == "NX" or word == "XX" or word == "GET" or word == "KEEPTTL" and not options.expiry then
      options[word] = true
    else
      return nil, syntax_error
    end
    i = i + 1
  end
  if options.NX and options.XX then return nil, syntax_error end
  return options
end

commands.set = { -3, function(node, conn, key, value, ...)
  local store = store_of(node, conn)
  local options, problem = set_options(node:now(), ...)
  if not options then return problem end
  local before = store:get(key)
  local is_refused = options.NX and before or options.XX and not before
  if not is_refused then store:set(key, value, options.KEEPTTL and store:expiry(key) or options.expiry) end
  if options.GET then return before or null end
  return is_refused and null or ok
end }

local function each(keys, fn)
  local count = 0
  for _, key in ipairs(keys) do
    if fn(key) then count = count + 1 end
  end
  return count
end

commands.del = { -2, function(node, conn, ...)
  local store = store_of(node, conn)
  return each({ ... }, function(key) return store:get(key) and store:remove(key) end)
end }

commands.exists = { -2, function(node, conn, ...)
  local store = store_of(node, conn)
  return each({ ... }, function(key) return store:get(key) end)
end }

local function add(node, conn, key, amount)
  local store = store_of(node, conn)
  local value = resp.whole(store:get(key) or "0")
  if not value then return not_an_integer end
  if amount > 0 and value > math.maxinteger - amount or amount < 0 and value < math.mininteger - amount then
    return resp.error "ERR increment or decrement would overflow"
  end
  store:set(key, tostring(value + amount), store:expiry(key))
  return value + amount
end

commands.incr = { 2, function(node, conn, key) return add(node, conn, key, 1) end }
commands.decr = { 2, function(node, conn, key) return add(node, conn, key, -1) end }

commands.incrby = { 3, function(node, conn, key, amount)
  amount = resp.whole(amount)
  return amount and add(node, conn, key, amount) or not_an_integer
end }

commands.decrby = { 3, function(node, conn, key, amount)
  amount = resp.whole(amount)
  if not amount then return not_an_integer end
  if amount == math.mininteger then return resp.error "ERR decrement would overflow" end
  return add(node, conn, key, -amount)
end }

-- ---- time to live

local function time_left(node, conn, key, unit)
  local store = store_of(node, conn)
  if not store:get(key) then return -2 end
  local expiry = store:expiry(key)
  return expiry and math.floor((expiry - node:now()) * unit + 0.5) or -1
end

commands.ttl = { 2, function(node, conn, key) return time_left(node, conn, key, 1) end }
commands.pttl = { 2, function(node, conn, key) return time_left(node, conn, key, 1000) end }

commands.expire = { 3, function(node, conn, key, seconds)
  local store = store_of(node, conn)
  seconds = resp.whole(seconds)
  if not seconds then return not_an_integer end
  local value = store:get(key)
  if not value then return 0 end
  store:set(key, value, node:now() + seconds)
  return 1
end }

-- ---- the server

commands.dbsize = { 1, function(node, conn)
  local store = store_of(node, conn)
  store:sweep()
  return store.size
end }

local function flush(node, index)
  local databases = node.state.databases
  databases[index] = getmetatable(databases[index]).new(databases[index].now)
end

commands.flushdb = { -1, function(node, conn)
  flush(node, conn.state.database)
  return ok
end }

commands.flushall = { -1, function(node)
  for index = 0, 15 do flush(node, index) end
  return ok
end }

-- redis-cli asks for the commands to complete what is typed; with none it manages.
commands.command = { -1, function(_, _, what)
  if what and what:upper() == "COUNT" then
    local count = 0
    for _ in pairs(commands) do count = count + 1 end
    return count
  end
  return {}
end }

-- redis-benchmark asks for these two.
local settings = { save = "", appendonly = "no" }

commands.config = { -2, function(_, _, what, name)
  if what:upper() ~= "GET" then
    return resp.error(("ERR unknown subcommand '%s'. Try CONFIG HELP."):format(what))
  end
  if not name then return resp.error "ERR wrong number of arguments for 'config|get' command" end
  name = name:lower()
  return settings[name] and { name, settings[name] } or {}
end }

-- ----

local M = {}

local function unknown(request)
  local list = {}
  for i = 2, #request do list[#list + 1] = ("'%s' "):format(request[i]:sub(1, 128)) end
  return resp.error(("ERR unknown command '%s', with args beginning with: %s"):format(
    request[1]:sub(1, 128), table.concat(list):sub(1, 128)))
end

-- run(node, conn, request) → the reply
function M.run(node, conn, request)
  local name = request[1]:lower()
  local command = commands[name]
  if not command then return unknown(request) end
  local count = command[1]
  if count >= 0 and #request ~= count or #request < -count then
    return resp.error(("ERR wrong number of arguments for '%s' command"):format(name))
  end
  return command[2](node, conn, table.unpack(request, 2))
end

return M
