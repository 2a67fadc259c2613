-- Who gets a connection's messages: receive, request, and the message hook.
--
-- Messages come out of `conn[2].pull(conn) → found, message`. At any time at most one run pulls: the dispatcher (the
-- run of `process_message`), or, where there is none or it is parked itself, a run inside receive or request. That one
-- offers what it finds to the requests that wait, and stashes the rest, in order, for the hook or for receive. When it
-- leaves, the next waiting run takes over.
--
-- What Swift (dispatch.lua, the hooks) calls:
--   next_for_hook(conn, pull) → found, message    the dispatcher's loop, in place of pull: stashed messages come first,
--                                                 and replies that a request waits for are taken out
--   offer(conn, message) → taken                  the same by hand; with stashed(conn) → found, message first
--   drain(conn, bound) → dropped    while the hook waits, under inbound_policy = "drop": takes the messages that have
--                   arrived, stashes up to `bound` of them and drops the rest. (A hook that waits and then reads raw
--                   bytes does not go with that policy: its bytes have been cut into messages by then.)
--   held(conn)      when the run of a message has parked, if requests wait (host.conn.set_requests said true)
--   closed(conn)    when the connection has ended, if requests wait, before on_disconnect
-- What it needs of host.conn, beside wait_readable:
--   set_requests(conn, flag, stashed)   flag: true while a request waits or messages are stashed: the engine must go
--                              through the loop, and must run it again when a message's run ends, even if no bytes have
--                              arrived; stashed: whether messages are stashed
--   may_pull(conn) → true, or false, "dispatcher" | "reader"     whether the running task may take messages now: not
--                              while another run is parked in a raw read, and not while a live connection has a
--                              message hook, unless the run of that hook is parked or is the caller. True when closed.
--   redispatch(conn)           messages have arrived that are the hook's: run the loop at the end of the tick
local host = ...
local waiting = host.lib.waiting
local text = host.lib.text
local pcall, setmetatable = pcall, setmetatable
local remove = table.remove
local current, wake = host.task.current, host.task.wake
local wait_readable, may_pull = host.conn.wait_readable, host.conn.may_pull
local set_requests, redispatch, is_open = host.conn.set_requests, host.conn.redispatch, host.conn.is_open

-- More unmatched messages than this before a reply, and the request fails with "full".
local stash_bound = 64

local no_codec = "there is no codec yet: it is chosen after the handshake; use read and write in there"

local M = {}
local boxes = setmetatable({}, { __mode = "k" })

local function update(box)
  local stashed = box.stashed > 0
  local waits = stashed or box.requests[1] ~= nil
  if waits ~= box.has_requests or stashed ~= box.has_stash then
    box.has_requests, box.has_stash = waits, stashed
    set_requests(box.conn, waits, stashed)
  end
end

-- Someone has to pull: the request that has waited longest, or else receive.
local function wake_next(box)
  if box.pulling then return end
  local heir = box.requests[1] and box.requests[1].id or box.receiver
  if heir then wake(heir) end
end

-- Also a guard: closing it is the end of a receive.
local Box = {
  __close = function(box)
    box.receiving, box.receiver = false, nil
    if box.pulling == box then box.pulling = nil end
    wake_next(box)
  end,
}

local function box_of(conn)
  local box = boxes[conn]
  if not box then
    box = setmetatable({
      conn = conn, requests = {}, stash = {}, first = 1, stashed = 0, receiving = false, has_requests = false,
      has_stash = false,
    }, Box)
    boxes[conn] = box
  end
  return box
end

local function push(box, message)
  box.stash[box.first + box.stashed] = message
  box.stashed = box.stashed + 1
  if box.receiver then wake(box.receiver) end
  update(box)
end

local function pop(box)
  local message = box.stash[box.first]
  box.stash[box.first] = nil
  box.first, box.stashed = box.first + 1, box.stashed - 1
  update(box)
  return message
end

local function settle(box, index, reply, failed)
  local request = remove(box.requests, index)
  request.done, request.reply, request.failed = true, reply, failed
  wake(request.id)
  update(box)
end

-- Gives the message to the first request it answers. A `match` that raises fails its own request only.
local function offer(box, message)
  local requests, i = box.requests, 1
  while i <= #requests do
    local match = requests[i].match
    local ok, is_match = true, true
    if match then ok, is_match = pcall(match, message) end
    if not ok then
      settle(box, i, is_match, true)
    elseif is_match then
      settle(box, i, message, false)
      return true
    else
      i = i + 1
    end
  end
  return false
end

function M.offer(conn, message)
  local box = boxes[conn]
  return box ~= nil and offer(box, message)
end

function M.stashed(conn)
  local box = boxes[conn]
  if not box or box.stashed == 0 then return false end
  return true, pop(box)
end

function M.next_for_hook(conn, pull)
  local box = boxes[conn]
  if not box then return pull(conn) end
  if box.stashed > 0 then return true, pop(box) end
  -- A request that began to pull while the hook waited has the connection; it calls the loop when something comes.
  if box.pulling then return false end
  while true do
    local found, message = pull(conn)
    if not found or not offer(box, message) then return found, message end
  end
end

-- What a connection's messages are that nobody has asked for yet, for a reload: in order, as they were decoded.
function M.stash_of(conn)
  local box, list = boxes[conn], {}
  for i = 1, box and box.stashed or 0 do list[i] = box.stash[box.first + i - 1] end
  return list
end

-- In place of those that are there: code that comes back has had its own from before it left.
function M.adopt_stash(conn, list)
  local box = boxes[conn]
  if box then
    -- The engine has forgotten what it was told.
    box.stash, box.first, box.stashed, box.has_requests = {}, 1, 0, nil
    update(box)
  end
  for i = 1, #list do push(box_of(conn), list[i]) end
end

function M.held(conn)
  local box = boxes[conn]
  if box then wake_next(box) end
end

function M.drain(conn, bound)
  local box, pull, dropped = box_of(conn), conn[2].pull, 0
  while true do
    local found, message = pull(conn)
    if not found then return dropped end
    if not offer(box, message) then
      if box.stashed < bound then push(box, message) else dropped = dropped + 1 end
    end
  end
end

function M.closed(conn)
  local box = boxes[conn]
  if not box then return end
  box.closed = true
  for i = 1, #box.requests do wake(box.requests[i].id) end
  if box.receiver then wake(box.receiver) end
end

-- One step towards what `who` waits for: takes a message, or waits for bytes, or for someone else to take messages.
-- Returns nothing, or why there is no point in going on.
local function step(box, who, id, deadline, may)
  local conn = box.conn
  if may and not box.pulling then
    local found, message = conn[2].pull(conn)
    if found then
      if not offer(box, message) then push(box, message) end
      return
    end
    if box.closed or not is_open(conn) then return "closed" end
    local left = deadline and deadline - host.time.now()
    box.pulling = who
    local ok, why = wait_readable(conn, left and (left > 0 and left or 0))
    box.pulling = nil
    -- At the end of the stream the last whole messages may still be there: look once more.
    if not ok and why == "closed" then box.closed = true end
    return
  end
  if box.closed then return "closed" end
  waiting.park(id, deadline)
end

local busy = {
  dispatcher = "process_message handles this connection's messages; receive inside it, or use conn:request",
  reader = "another task already reads this connection",
}

-- receive(conn, seconds?) → message, or nil, "closed" | "timeout"
function M.receive(conn, timeout)
  local box, binding = boxes[conn], conn[2]
  if not binding then text.fail("usage", "conn:receive: " .. no_codec, 3) end
  if box and box.receiving then text.fail("busy", "conn:receive: " .. busy.reader, 3) end
  -- Only a message hook can be in the way before anything waits.
  if binding.loop and not (box and box.pulling) then
    local may, why = may_pull(conn)
    if not may then text.fail("busy", "conn:receive: " .. busy[why], 3) end
  end
  -- What a request has left over is no message any more, either, once the connection is being closed.
  if box and box.stashed > 0 and is_open(conn) then return pop(box) end
  if not (box and (box.pulling or box.requests[1])) then
    local found, message = binding.pull(conn)
    if found then return message end
  end
  box = box or box_of(conn)
  local guard <close> = box
  guard.receiving = true
  local deadline = waiting.deadline(timeout)
  while is_open(conn) do
    if box.stashed > 0 then return pop(box) end
    if waiting.is_over(deadline) then return nil, "timeout" end
    if box.pulling and not box.receiver then box.receiver = current() end
    local over = step(box, box, box.receiver, deadline, true)
    if over and box.stashed == 0 then return nil, over end
  end
  return nil, "closed"
end

local Request = {
  __close = function(request)
    local box = request.box
    for i = 1, #box.requests do
      if box.requests[i] == request then
        remove(box.requests, i)
        break
      end
    end
    if box.pulling == request then box.pulling = nil end
    update(box)
    wake_next(box)
  end,
}

-- request(conn, match?, seconds) → the reply, or nil, "closed" | "timeout" | "full"; the message has been sent.
function M.request(conn, match, seconds)
  if not conn[2] then text.fail("usage", "conn:request: " .. no_codec, 3) end
  local box = box_of(conn)
  local request <close> = setmetatable({ id = current(), box = box, match = match, done = false }, Request)
  box.requests[#box.requests + 1] = request
  update(box)
  local deadline, has_pulled = waiting.deadline(seconds), false
  while not request.done do
    if waiting.is_over(deadline) then return nil, "timeout" end
    local may, why = false, nil
    if not box.pulling then may, why = may_pull(conn) end
    if why == "reader" then text.fail("busy", "conn:request: " .. busy.reader, 3) end
    if has_pulled and why == "dispatcher" then redispatch(conn) end
    if may and box.stashed >= stash_bound then
      if not box.receiver then return nil, "full" end
      may = false
    end
    has_pulled = may
    local over = step(box, request, request.id, deadline, may)
    if over and not request.done then return nil, over end
  end
  if request.failed then error(request.reply, 0) end
  return request.reply
end

return M
