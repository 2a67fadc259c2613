-- The `node` handle and what it offers. What waits is built from parking and waking; the engine's part is native.
local host = ...
local native, check = host.node, host.check
local time = host.time
local duration = host.text.duration
local work = host.chunk "tasks"

local methods = {}

local function timed(what, value) return duration(value, what) end

function methods.sleep(_, seconds) time.sleep(timed("node:sleep", seconds)) end
function methods.now() return time.now() end
function methods.random(_, ...) return time.random(...) end

function methods.listen(self, address) return native.listen(address) end
function methods.stop_listening() return native.stop_listening() end

local dial_options = { "timeout", "local_address", "reuse_port" }
local function dial(what, connect, address, options, more)
  options = check.options(what, options, more or dial_options)
  local timeout = options.timeout and timed(what .. ": timeout", options.timeout)
  return connect(address, timeout, options.local_address, options.reuse_port)
end

function methods.connect(_, address, options)
  return dial("node:connect", native.connect, address, options)
end

function methods.open(_, address, options)
  local stream, problem = dial("node:open", native.open, address, options,
    { "timeout", "local_address", "reuse_port", "codec" })
  if not stream then return nil, problem end
  host.lib.glue.set_codec(stream, options and options.codec or host.lib.codec.bytes())
  return stream
end

local function as_conn(what, value)
  if type(value) == "string" then return native.connection(value) end
  if type(value) == "table" and value.address then return value end
  error(("%s: an address or a conn is expected, got %s"):format(what, type(value)), 3)
end

function methods.disconnect(_, target)
  local conn = as_conn("node:disconnect", target)
  return conn ~= nil and native.disconnect(conn)
end

function methods.connections() return native.connections() end
function methods.connection(_, address) return native.connection(address) end
function methods.is_connected(_, address) return native.connection(address) ~= nil end
function methods.counts() return native.counts() end

function methods.send(_, address, message)
  local conn = as_conn("node:send", address)
  if not conn then return nil, "closed" end
  return conn:send(message)
end

-- Encodes once where all connections share the script's codec.
function methods.broadcast(_, message, options)
  options = check.options("node:broadcast", options, { "except" })
  local codec = host.lib.glue.shared_codec()
  if codec then
    local bytes = codec.encode and codec.encode(message) or message
    return native.broadcast(bytes, options.except)
  end
  local count = 0
  for _, conn in ipairs(native.connections()) do
    if conn ~= options.except and conn:try_send(message) then count = count + 1 end
  end
  return count
end

function methods.spawn(_, fn, ...)
  if not check.is_callable(fn) then error("node:spawn: a function is expected, got " .. type(fn), 2) end
  return work.spawn(fn, ...)
end

local function timer(what, seconds, fn, repeats, jitter)
  if not check.is_callable(fn) then error(what .. ": a function is expected, got " .. type(fn), 3) end
  seconds = duration(seconds, what)
  if repeats and seconds <= 0 then error(what .. ": the interval must be more than 0", 3) end
  return work.timer(seconds, fn, repeats, jitter and duration(jitter, what .. ": jitter"))
end

function methods.after(_, seconds, fn) return timer("node:after", seconds, fn, false) end
function methods.every(_, seconds, fn) return timer("node:every", seconds, fn, true) end

function methods.timeout(_, seconds, fn, ...)
  if not check.is_callable(fn) then error("node:timeout: a function is expected, got " .. type(fn), 2) end
  return work.timeout(timed("node:timeout", seconds), fn, ...)
end

function methods.queue(_, bound)
  if bound ~= nil and (math.type(bound) ~= "integer" or bound < 1) then
    error("node:queue: the bound must be a whole number of at least 1", 2)
  end
  return work.queue(bound)
end

function methods.all(_, ...) return work.all(...) end
function methods.any(_, ...) return work.any(...) end

function methods.call(_, target, name, ...) return native.call(target, name, ...) end
function methods.stats() return native.stats() end
function methods.heuristics() return native.heuristics() end
function methods.shut_down() return native.shut_down() end

local fields = { "name", "id", "args", "address", "state", "config" }

local function index(_, key)
  local method = methods[key]
  if method then return method end
  if key == "address" then return native.address() end
  local known = check.sorted_keys(methods)
  for _, field in ipairs(fields) do known[#known + 1] = field end
  local name = host.text.nearest(tostring(key), known)
  error(('node has no field "%s"%s; keep data of your own in node.state'):format(tostring(key),
    name and ('; did you mean "%s"?'):format(name) or ""), 2)
end

local meta = { __index = index, __name = "node", __metatable = false,
  __newindex = function(_, key)
    error(("node.%s cannot be set: keep data of your own in node.state"):format(tostring(key)), 2)
  end,
  __tostring = function(self) return "node " .. self.name end }

local function read_only(what, values)
  return setmetatable({}, { __index = values, __metatable = false, __pairs = function() return next, values end,
    __newindex = function(_, key) error(("%s.%s is read only"):format(what, tostring(key)), 2) end })
end

local M = { methods = methods }

function M.make(plain, config)
  return setmetatable({ name = plain.name, id = plain.id, args = plain.args or {}, state = {},
    config = read_only("node.config", config) }, meta)
end

-- The script's own timers, after init.
function M.start_timers(node, timers)
  for _, name in ipairs(check.sorted_keys(timers or {})) do
    local entry = timers[name]
    timer("timers." .. name, entry.every, function() entry.run(node) end, true, entry.jitter)
  end
end

return M
