-- The `conn` handle: one table per connection for its whole life. [1] is the engine's object, [2] its codec's binding.
--
-- What Swift calls: make(object, id, address, local_address, side) for a new handle, bind(conn, binding) when its codec
-- is known, offer(conn, message) before a message goes to the hook while `set_requests(conn, true)` stands.
local host = ...
local native, check, duration = host.conn, host.check, host.text.duration
local new_error = host.error.new
local current, park, wake = host.task.current, host.task.park, host.task.wake

local methods, encoding = {}, {}

local function strict(_, key)
  if key == "peer" then return nil end
  local known = check.sorted_keys(methods)
  for _, field in ipairs { "address", "local_address", "side", "id", "peer", "state" } do known[#known + 1] = field end
  error(('conn has no field "%s"%s; keep data of your own in conn.state'):format(tostring(key),
    check.hint(key, known):gsub("^ %(known.*", "")), 2)
end

local function refuse(_, key)
  error(('conn.%s cannot be set: keep data of your own in conn.state'):format(tostring(key)), 2)
end

local function handle_meta(index)
  setmetatable(index, { __index = strict })
  return { __index = index, __newindex = refuse, __name = "conn", __metatable = false,
    __tostring = function(self) return ("conn %d (%s)"):format(self.id, self.address) end }
end

for _, name in ipairs { "send", "try_send", "write", "flush", "read", "read_some", "read_until", "peek", "abort" } do
  methods[name] = native[name]
end

function methods.pause_reading(self) native.pause(self) end
function methods.resume_reading(self) native.resume(self) end
function methods.stats(self) return native.stats(self) end
function methods.set_option(self, name, value) return native.set_option(self, name, value) end

function methods.disconnect(self, reason)
  if reason ~= nil and type(reason) ~= "string" then
    error("conn:disconnect: the reason must be a text, got " .. type(reason), 2)
  end
  return native.disconnect(self, reason)
end

-- Messages that arrived while a request waited for its reply and were not it: they come first afterwards.
local stashes = setmetatable({}, { __mode = "k" })

local function pull(self)
  local stash = stashes[self]
  if stash and stash.first <= stash.last then
    local message = stash[stash.first]
    stash[stash.first] = nil
    stash.first = stash.first + 1
    return true, message
  end
  local binding = self[2]
  if not binding then error("conn:receive: the codec is chosen after the handshake; read raw bytes here", 3) end
  return binding.pull(self)
end

local offer

function methods.receive(self, timeout)
  local deadline
  if timeout ~= nil then deadline = host.time.now() + duration(timeout, "conn:receive: timeout") end
  while true do
    local found, message = pull(self)
    if found and not offer(self, message) then return message end
    if not found then
      local left = deadline and math.max(0, deadline - host.time.now())
      local ok, kind = native.wait_readable(self, left)
      if not ok then return nil, kind end
    end
  end
end

-- Requests: each waits for the first message its match takes, in the order they were made.
local requests = setmetatable({}, { __mode = "k" })

function offer(conn, message)
  local list = requests[conn]
  if not list then return false end
  for i, request in ipairs(list) do
    if not request.match or request.match(message) then
      table.remove(list, i)
      request.reply, request.done = message, true
      wake(request.task)
      return true
    end
  end
  return false
end

local function forget(conn, request)
  local list = requests[conn]
  for i, other in ipairs(list or {}) do
    if other == request then table.remove(list, i) end
  end
end

local STASH = 64

-- Inside the message hook nobody else pulls: this request does, and keeps what is not its reply for later.
local function pull_reply(self, request, deadline)
  local stash = stashes[self]
  if not stash then
    stash = { first = 1, last = 0 }
    stashes[self] = stash
  end
  while true do
    while not request.done do
      local found, message = self[2].pull(self)
      if not found then break end
      if not offer(self, message) then
        if stash.last - stash.first + 1 >= STASH then
          return nil, new_error("full", ("%d other messages arrived before the reply"):format(STASH))
        end
        stash.last = stash.last + 1
        stash[stash.last] = message
      end
    end
    if request.done then return request.reply end
    local ok, kind = native.wait_readable(self, deadline and math.max(0, deadline - host.time.now()))
    if not ok then
      return nil, new_error(kind, kind == "timeout" and "no reply in time" or "the connection is closed",
        { peer = self.address })
    end
  end
end

function methods.request(self, message, options)
  options = check.options("conn:request", options, { "timeout", "match" })
  if options.match ~= nil and not check.is_callable(options.match) then
    error("conn:request: match must be a function", 2)
  end
  local seconds = duration(options.timeout or 5, "conn:request: timeout")
  local request = { match = options.match, task = current() }
  local list = requests[self]
  if not list then
    list = {}
    requests[self] = list
  end
  list[#list + 1] = request
  native.set_requests(self, true)
  local guard <close> = setmetatable({}, { __close = function() if not request.done then forget(self, request) end end })
  local sent, kind = self:send(message)
  if not sent then return nil, new_error(kind, "the connection is closed", { peer = self.address }) end
  if native.is_reader(self) then return guard and pull_reply(self, request, host.time.now() + seconds) end
  local timer = host.time.timer(seconds, function()
    request.expired = true
    wake(request.task)
  end)
  while not request.done and not request.expired and native.is_open(self) do
    request.parked = true
    native.on_end(self, request.task)
    park()
  end
  host.time.cancel_timer(timer)
  if request.done then return request.reply end
  if request.expired then return nil, new_error("timeout", "no reply in time", { peer = self.address }) end
  return nil, new_error("closed", "the connection is closed", { peer = self.address })
end

for name, method in pairs(methods) do encoding[name] = method end

local function encoded(name)
  local send = native[name]
  encoding[name] = function(self, message)
    local bytes = self[2].encode(message)
    if type(bytes) ~= "string" then
      error(("conn:%s: the codec's encode returned a %s, not a string"):format(name, type(bytes)), 2)
    end
    return send(self, bytes)
  end
end
encoded "send"
encoded "try_send"

local plain_meta, encoding_meta = handle_meta(methods), handle_meta(encoding)

local M = { offer = offer, methods = methods }

function M.make(object, id, address, local_address, side)
  return setmetatable({ object, false, id = id, address = address, local_address = local_address, side = side,
    state = {}, peer = nil }, plain_meta)
end

function M.bind(conn, binding)
  rawset(conn, 2, binding)
  host.set_metatable(conn, binding.encode and encoding_meta or plain_meta)
end

function M.set_peer(conn, peer) rawset(conn, "peer", peer) end

-- Whether messages must still pass through here: a request waits, or a stash has messages left.
function M.is_pending(conn)
  local stash, list = stashes[conn], requests[conn]
  return (list ~= nil and #list > 0) or (stash ~= nil and stash.first <= stash.last)
end

M.pull = pull

return M
