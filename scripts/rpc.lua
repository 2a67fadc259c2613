-- Remote calls, in both directions of one connection: JSON in length-prefixed frames.
--   request   { "id": 7, "method": "add", "params": [1, 2] }
--   response  { "id": 7, "result": 3 }   or   { "id": 7, "error": { "code": "failed", "message": "…" } }
-- Many requests may be under way at once, and responses come in the order in which the work is done.
local codec = require "moonpeer.codec"
local json = require "moonpeer.json"
local log = require "moonpeer.log"

-- Requests of one connection that are worked on at once. With all slots taken its next request waits, and TCP pushes
-- back: a peer cannot make us hold more than this.
local slots_per_connection = 16

-- What others may ask. An error raised here is the caller's answer; the connection lives on.
local methods = {
  echo = function(_, value) return value end,
  add = function(_, a, b) return a + b end,
  divide = function(_, a, b)
    if b == 0 then error { code = "divide_by_zero", message = "b must not be 0" } end
    return a / b
  end,
  sleep = function(node, seconds)
    node:sleep(seconds)
    return "slept"
  end,
}

local function described(cause)
  if type(cause) == "table" then return { code = cause.code or cause.kind or "failed", message = tostring(cause.message) } end
  return { code = "failed", message = tostring(cause) }
end

local function answer(node, request)
  local method = methods[request.method]
  if not method then
    return { id = request.id, error = { code = "unknown_method", message = "no method " .. tostring(request.method) } }
  end
  -- Also what is wrong with the parameters is the caller's to hear: they come from outside.
  local ok, result = pcall(function() return method(node, table.unpack(request.params or {})) end)
  if not ok then return { id = request.id, error = described(result) } end
  if result == nil then result = json.null end
  return { id = request.id, result = result }
end

-- call(conn, method, params, timeout?) → result, or nil, { code, message }
local function call(conn, method, params, timeout)
  local id = (conn.state.last_id or 0) + 1
  conn.state.last_id = id
  -- request() gives us the one response with our id. All else goes on to process_message, so that calls do not get in
  -- each other's way.
  local response, why = conn:request({ id = id, method = method, params = json.array(params) }, {
    timeout = timeout,
    match = function(message) return message.id == id and not message.method end,
  })
  if not response then return nil, { code = why, message = "no response: " .. why } end
  if response.error then return nil, response.error end
  return response.result
end

local function decode(text)
  local message = json.decode(text)
  -- Broken messages end the connection here; no hook ever sees one.
  if type(message) ~= "table" or math.type(message.id) ~= "integer" then codec.invalid "a message needs an id" end
  return message
end

return {
  name = "rpc",
  version = 1,
  codec = codec.map(codec.length_prefixed { width = 4, max = "1MiB" }, { decode = decode, encode = json.encode }),

  on_connect = function(node, conn)
    conn.state.slots = node:queue(slots_per_connection)
  end,

  process_message = function(node, conn, message)
    if not message.method then
      -- The response to a call that has given up.
      return log.debug("late response", { id = message.id })
    end
    local slots = conn.state.slots
    slots:put(true)
    -- A task of its own, so that a slow method does not hold up the next request.
    node:spawn(function()
      local response = answer(node, message)
      local ok, why = pcall(conn.send, conn, response)
      -- A result that JSON cannot say, such as an infinite number.
      if not ok then conn:send { id = message.id, error = described(why) } end
      slots:get()
    end)
  end,

  calls = {
    -- call(address, method, params, timeout?) → result, or nil, { code, message }; dials if need be
    call = function(node, address, method, params, timeout)
      local conn, problem = node:connection(address), nil
      if not conn then conn, problem = node:connect(address) end
      -- Somebody else was faster: then there is one.
      if not conn and problem.kind == "duplicate" then conn = node:connection(address) end
      if not conn then return nil, { code = problem.kind, message = problem.message } end
      return call(conn, method, params, timeout)
    end,
  },
}
