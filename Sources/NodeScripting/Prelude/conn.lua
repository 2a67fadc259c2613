-- The `conn` handle: one table per connection, for its whole life.
--
-- conn[1] is the engine's object, conn[2] the codec's binding (dispatch.lua) or false; `id`, `address`,
-- `local_address`, `side`, `state` and, once the handshake has said it, `peer` are plain fields.
-- Natives stand in the method table themselves, so that conn:send costs one table miss, one hit and the call.
--
-- make(object, id, address, local_address, side) → handle      for every connection, before its handshake
-- bind(conn, binding)                                          whenever its codec is set
-- offer, stashed, next_for_hook, held, drain, closed                  see inbox.lua
local host = ...
local text, inbox = host.lib.text, host.lib.inbox
local error, getmetatable, pairs, pcall, rawset = error, getmetatable, pairs, pcall, rawset
local setmetatable = setmetatable
local type, math_type = type, math.type
local native = host.conn
local native_send, native_try_send = native.send, native.try_send

local default_request_timeout = 30

local plain_methods = {
  send = native_send,
  try_send = native_try_send,
  flush = native.flush,
  read = native.read,
  read_some = native.read_some,
  peek = native.peek,
  write = native.write,
  set_option = native.set_option,
  pause_reading = native.pause,
  resume_reading = native.resume,
  abort = native.abort,
}
local encoding_methods = {}
local names = {}

local Plain = { __name = "conn", __plain = false, __index = plain_methods }
local Encoding = { __name = "conn", __plain = false, __index = encoding_methods }

local function is_conn(value)
  local meta = getmetatable(value)
  return meta == Plain or meta == Encoding
end

local function check(conn, name)
  if not is_conn(conn) then
    error(text.format("conn:%s: call it with a colon, on a conn; got %s", name, text.got(conn)), 3)
  end
end

-- An error of the script's own encoder has its place already; one of a shipped codec gets the sender's.
local function encoded(conn, message, name)
  local ok, bytes = pcall(conn[2].encode, message)
  if not ok then text.raise(bytes, "conn:" .. name, 3) end
  if type(bytes) ~= "string" then
    error(text.format("conn:%s: the codec's encode must return a string of bytes, got %s", name, text.got(bytes)), 3)
  end
  return bytes
end

local function send_encoded(conn, message)
  if getmetatable(conn) ~= Encoding then check(conn, "send") end
  local bytes = encoded(conn, message, "send")
  return native_send(conn, bytes)
end

local function try_send_encoded(conn, message)
  if getmetatable(conn) ~= Encoding then check(conn, "try_send") end
  local bytes = encoded(conn, message, "try_send")
  return native_try_send(conn, bytes)
end

-- stats() → counters; nil once the connection is over and forgotten
function plain_methods.stats(conn)
  check(conn, "stats")
  local values = native.stats(conn)
  return values and text.record("conn:stats()", values)
end

-- receive(timeout?) → the next message, or nil, "closed" | "timeout"
function plain_methods.receive(conn, timeout)
  if not is_conn(conn) then check(conn, "receive") end
  if timeout ~= nil then timeout = text.duration(timeout, "conn:receive: timeout", 2) end
  local message, why = inbox.receive(conn, timeout)
  return message, why
end

-- request(message, { timeout = 30, match = fn(reply) }) → the reply, or nil, "closed" | "timeout" | "full".
-- Without `match`, the next message that comes is the reply. Works in every hook and task, also in process_message of
-- the same connection: messages that are not the reply go where they would have gone. "full": 64 of them came first.
function plain_methods.request(conn, message, options)
  check(conn, "request")
  options = text.options(options, "conn:request", { "timeout", "match" }, 2)
  text.optional(options.match, "function", "conn:request: match", 2)
  local seconds = default_request_timeout
  if options.timeout ~= nil then seconds = text.duration(options.timeout, "conn:request: timeout", 2) end
  if getmetatable(conn) == Encoding then message = encoded(conn, message, "request") end
  local ok, why = native_send(conn, message)
  if not ok then return nil, why end
  local reply, problem = inbox.request(conn, options.match, seconds)
  return reply, problem
end

-- read_until(delimiter, max = "1MiB", or less where less can be held) → the bytes before the delimiter, which is taken too
function plain_methods.read_until(conn, delimiter, max)
  if max ~= nil and math_type(max) ~= "integer" then max = text.size(max, "conn:read_until: max", 2) end
  return native.read_until(conn, delimiter, max)
end

-- disconnect(reason?) closes after what is queued has been sent; reason is a text for the log.
function plain_methods.disconnect(conn, reason)
  check(conn, "disconnect")
  text.optional(reason, "string", "conn:disconnect: the reason", 2)
  return native.disconnect(conn, reason)
end

for name, method in pairs(plain_methods) do
  encoding_methods[name] = method
  names[#names + 1] = name
end
table.sort(names)
encoding_methods.send, encoding_methods.try_send = send_encoded, try_send_encoded

-- A handle is complete from the start, so a name it does not have is a mistake.
local function unknown(_, key)
  if key == "peer" or type(key) ~= "string" then return nil end
  error(text.format("a conn has no %q%s", key, (text.hint(key, names))), 2)
end

local function assign(conn, key, value)
  if key == "peer" or value == nil then return rawset(conn, key, value) end
  error(text.format("conn.%s cannot be set: keep it in conn.state, conn.state.%s = …", key, key), 2)
end

setmetatable(plain_methods, { __index = unknown })
setmetatable(encoding_methods, { __index = unknown })
Plain.__newindex, Encoding.__newindex = assign, assign

function Plain.__tostring(conn)
  return text.format("conn %s (%s %s)", conn.id, conn.side, conn.address)
end
Encoding.__tostring = Plain.__tostring

local M = {
  is_conn = is_conn, names = names, offer = inbox.offer, stashed = inbox.stashed, next_for_hook = inbox.next_for_hook,
  held = inbox.held, drain = inbox.drain, closed = inbox.closed,
}

function M.make(object, id, address, local_address, side)
  return setmetatable({
    object, false, id = id, address = address, local_address = local_address, side = side, state = {},
  }, Plain)
end

function M.bind(conn, binding)
  rawset(conn, 2, binding)
  setmetatable(conn, binding.encode and Encoding or Plain)
end

return M
