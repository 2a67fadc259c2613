-- The node's network calls, written without the `node` argument: what stands around them at the end takes it.
local host = ...
local text, conns, base, check = host.lib.text, host.lib.conn, host.lib.codec_base, host.lib.node_handle.check
local error, getmetatable, ipairs, next, pairs, pcall = error, getmetatable, ipairs, next, pairs, pcall
local rawget, type = rawget, type
local native, try_send = host.node, host.conn.try_send
local native_broadcast, meta, is_conn = native.broadcast, host.lib.node.meta, conns.is_conn

local methods = {}
-- The codec of all connections, where the script has one for all. Without a codec messages are bytes.
local shared_codec = host.script.codec or {}
if type(shared_codec) == "function" then shared_codec = nil end

-- The wrappers leave by a tail call, so error levels are what they look like.

local function address_of(value, what)
  if type(value) == "string" then return value end
  error(text.format("%s: an address such as \"127.0.0.1:4000\" is expected, got %s", what, text.got(value)), 3)
end

local function dial_options(options, what, names)
  options = text.options(options, what, names, 3)
  local timeout = options.timeout
  if timeout ~= nil then timeout = text.duration(timeout, what .. ": timeout", 3) end
  if options.local_address ~= nil then
    text.check(options.local_address, "string", what .. ": local_address", 3)
  end
  text.optional(options.reuse_port, "boolean", what .. ": reuse_port", 3)
  return timeout, options
end

local connect_options = { "timeout", "local_address", "reuse_port" }
local open_options = { "codec", "timeout", "local_address", "reuse_port" }
local broadcast_options = { "except" }

-- connect(address, { timeout, local_address, reuse_port }?) → a live conn, or nil, error
function methods.connect(address, options)
  address_of(address, "node:connect")
  local timeout, chosen = dial_options(options, "node:connect", connect_options)
  return native.connect(address, timeout, chosen.local_address, chosen.reuse_port)
end

-- open(address, { codec, timeout, local_address, reuse_port }?) → a stream of the caller's own, or nil, error
function methods.open(address, options)
  address_of(address, "node:open")
  local timeout, chosen = dial_options(options, "node:open", open_options)
  local codec = chosen.codec
  if codec ~= nil then base.expect_codec(codec, "node:open: codec", 2) end
  local conn, problem = native.open(address, timeout, chosen.local_address, chosen.reuse_port)
  if not conn then return nil, problem end
  host.lib.glue.set_codec(conn, codec or host.lib.codec.bytes())
  return conn
end

-- disconnect(address or conn) → true if there was one; waits for on_disconnect
function methods.disconnect(target)
  if type(target) == "string" then
    target = native.connection(target, true)
    if not target then return false end
  elseif not conns.is_conn(target) then
    error("node:disconnect: an address or a conn is expected, got " .. text.got(target), 2)
  end
  return native.disconnect(target)
end

function methods.connections()
  return native.connections()
end

function methods.connection(address)
  return native.connection(address_of(address, "node:connection"))
end

function methods.is_connected(address)
  return native.connection(address_of(address, "node:is_connected")) ~= nil
end

function methods.counts()
  return native.counts()
end

-- send(address, message) → as conn:send; nil, "closed" without such a connection
function methods.send(address, message)
  local conn = native.connection(address_of(address, "node:send"))
  if not conn then return nil, "closed" end
  return conn:send(message)
end

local function encoded(encode, message, level)
  if not encode then return message end
  local ok, bytes = pcall(encode, message)
  if not ok then text.raise(bytes, "node:broadcast", level) end
  return bytes
end

-- Each connection may have a codec of its own: once per codec.
local function broadcast_each(message, except)
  local ready, count = {}, 0
  for _, conn in ipairs(native.connections()) do
    if conn ~= except then
      local binding = conn[2]
      local encode = binding and binding.encode or nil
      local key = encode or false
      local bytes = ready[key]
      if bytes == nil then
        bytes = encoded(encode, message, 4)
        ready[key] = bytes
      end
      if try_send(conn, bytes) then count = count + 1 end
    end
  end
  return count
end

-- broadcast(message, { except = conn }?) → how many connections it was queued for
function methods.broadcast(message, options)
  options = text.options(options, "node:broadcast", broadcast_options, 2)
  local except = options.except
  if except ~= nil and not conns.is_conn(except) then
    error("node:broadcast: except must be a conn, got " .. text.got(except), 2)
  end
  -- A traced connection's messages are seen where they are encoded.
  if not shared_codec or rawget(host, "is_traced") then
    local count = broadcast_each(message, except)
    return count
  end
  local bytes = encoded(shared_codec.encode, message, 3)
  if type(bytes) ~= "string" then
    error("node:broadcast: the message must be a string of bytes, got " .. text.got(bytes), 2)
  end
  return native_broadcast(bytes, except)
end

-- listen(address?) → the bound address, or nil, error
function methods.listen(address)
  if address ~= nil then address_of(address, "node:listen") end
  return native.listen(address)
end

function methods.stop_listening()
  return native.stop_listening()
end

-- call(target, name, …) → what that script's call returns; raises what it raises
function methods.call(target, name, ...)
  text.check(target, "string", "node:call: the target", 2)
  text.check(name, "string", "node:call: the call's name", 2)
  return native.call(target, name, ...)
end

function methods.stats()
  local values = text.record("node:stats()", native.stats())
  return values
end

function methods.heuristics()
  local values = text.record("node:heuristics()", native.heuristics())
  return values
end

function methods.shut_down()
  return native.shut_down()
end

local on_the_node = {}
for name, method in pairs(methods) do
  on_the_node[name] = function(node, ...)
    check(node, name)
    return method(...)
  end
end

-- A node that passes messages on calls this with each of them. What needs no second look comes first, and touches little: in
-- a process of many nodes each one's memory is cold.
local checked = on_the_node.broadcast
local is_plain = shared_codec and not shared_codec.encode

function on_the_node.broadcast(node, message, options)
  if is_plain and getmetatable(node) == meta and type(message) == "string" and not rawget(host, "is_traced") then
    if options == nil then return native_broadcast(message) end
    if type(options) == "table" and next(options) == "except" and next(options, "except") == nil then
      local except = rawget(options, "except")
      if is_conn(except) then return native_broadcast(message, except) end
    end
  end
  return checked(node, message, options)
end

return { methods = on_the_node }
