-- Between a loaded script and the engine's hooks: the handles, the order of the hooks around a codec, calls and timers.
-- `host.lib` holds the other prelude chunks.
local host = ...
local lib = host.lib
local dispatch, conn_lib, node_lib, codec_lib = lib.dispatch, lib.conn, lib.node, lib.codec
local new_error = host.error.new

local M = {}
local script, node
local bindings = setmetatable({}, { __mode = "k" }) -- codec → binding, made once

-- The node's own handle; `fields` are the plain ones.
function M.make_node(fields, config, prepared)
  script = prepared
  node = node_lib.make(fields, config)
  return node
end

local function bound(codec)
  local binding = bindings[codec]
  if not binding then
    binding = dispatch.bind(codec, script.process_message, conn_lib)
    bindings[codec] = binding
  end
  return binding
end

local function set_codec(conn, codec)
  if not codec_lib.is_codec(codec) then
    error(("codec: a codec from require \"moonpeer.codec\" is expected, got %s"):format(type(codec)), 0)
  end
  local binding = bound(codec)
  conn_lib.bind(conn, binding)
  host.conn.set_codec(conn, codec.kind, codec.max, codec.width, codec.endian, codec.length_includes_header,
    codec.delimiter, codec.size, binding.loop, binding.direct)
end

function M.make_handle(object, id, address, local_address, side)
  return conn_lib.make(object, id, address, local_address, side)
end

-- The codec of a script that has one for all connections, as soon as the handle stands: a handshake may use it.
function M.prepare(conn)
  local codec = script.codec
  if type(codec) ~= "function" then set_codec(conn, M.shared_codec()) end
end

function M.handshake(handle, conn)
  if script.handshake then
    local peer = script.handshake(handle, conn)
    if peer ~= nil then conn_lib.set_peer(conn, peer) end
  end
  if type(script.codec) == "function" then set_codec(conn, script.codec(handle, conn)) end
end

M.set_codec = set_codec

-- The codec all connections of the script share; nil where each chooses its own.
local fallback
function M.shared_codec()
  if type(script.codec) == "function" then return nil end
  fallback = fallback or codec_lib.bytes()
  return script.codec or fallback
end

function M.start(handle)
  if script.init then script.init(handle, handle.args) end
  node_lib.start_timers(handle, script.timers)
end

-- A call from outside: another script, a scenario, Swift, the console.
function M.call(name, ...)
  local run = script.calls and script.calls[name]
  if not run then
    local known = {}
    for key in pairs(script.calls or {}) do known[#known + 1] = key end
    table.sort(known)
    local nearest = host.text.nearest(name, known)
    local hint = nearest and ("; did you mean %q?"):format(nearest)
      or #known > 0 and "; it has " .. table.concat(known, ", ") or "; it declares none (key calls)"
    error(new_error("unknown_call", ("%s has no call %q%s"):format(node.name, name, hint)), 0)
  end
  return run(node, ...)
end

-- Code typed from outside, with `node` in scope and its arguments as `...`.
function M.evaluate(chunk, ...)
  return chunk(node)(...)
end

return M
