-- Between a started script and the engine's hooks: the handles, the order of the hooks around a codec, calls. Loaded with
-- the first connection or call.
local host = ...
local lib = host.lib
local text, new_error = lib.text, host.error.new
local error, getmetatable, setmetatable, type = error, getmetatable, setmetatable, type

local M = {}
local script, node = host.script, host.handle
local bindings = setmetatable({}, { __mode = "k" }) -- codec → binding, made once
local fallback, shared -- the codec of all connections, and its binding once one has it

local function set_codec(conn, codec)
  if getmetatable(codec) ~= host.codec then
    error("codec: the function must return a codec from require \"moonpeer.codec\", got " .. text.got(codec), 0)
  end
  local binding = bindings[codec]
  if not binding then
    binding = lib.dispatch.bind(codec, script.process_message)
    bindings[codec] = binding
  end
  lib.conn.bind(conn, binding)
  host.conn.set_codec(conn, codec.kind, codec.max, codec.width, codec.endian, codec.length_includes_header,
    codec.delimiter, codec.size, binding.loop, binding.direct, binding.decode, binding.refuse)
end

M.set_codec = set_codec

function M.make_handle(object, id, address, local_address, side)
  local conn = lib.conn.make(object, id, address, local_address, side)
  if shared then lib.conn.bind(conn, shared) end
  return conn
end

-- The codec of a script that has one for all connections, as soon as the handle stands: a handshake may use it.
function M.prepare(conn)
  if type(script.codec) == "function" then return end
  fallback = fallback or script.codec or lib.codec.bytes()
  set_codec(conn, fallback)
  shared = bindings[fallback]
end

-- For a connection that was live before this code was: its codec, without its handshake.
function M.adopt(conn)
  if type(script.codec) == "function" then set_codec(conn, script.codec(node, conn)) else M.prepare(conn) end
end

function M.handshake(handle, conn)
  if script.handshake then
    local peer = script.handshake(handle, conn)
    if peer ~= nil then conn.peer = peer end
  end
  if type(script.codec) == "function" then set_codec(conn, script.codec(handle, conn)) end
  return type(conn.peer) == "string" and conn.peer or nil
end

-- A call from outside: another script, a scenario, Swift.
function M.call(name, ...)
  local run = script.calls[name]
  if not run then
    local known = text.sorted_keys(script.calls)
    local hint = known[1] and text.hint(name, known) or "; it declares none (key calls)"
    error(new_error("unknown_call", text.format("%s has no call %q%s", node.name, name, hint)), 0)
  end
  return run(node, ...)
end

-- Code typed from outside, with `node` in scope and its arguments as `...`.
function M.evaluate(chunk, ...)
  return chunk(node)(...)
end

-- The messages of a connection whose hook waits: before and after its run, and meanwhile under inbound_policy = "drop".
function M.held(conn) lib.conn.held(conn) end
function M.drain(conn, bound) return lib.conn.drain(conn, bound) end
function M.closed(conn) lib.conn.closed(conn) end

return M
