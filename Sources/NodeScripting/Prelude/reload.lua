-- What moves from one generation of a script to the next: out of the old VM as plain data, into the new one. Tables keep
-- their identity, within node.state, within each conn.state and between them: what was one table there is one here.
--
-- save(handles) → moved                    the old side: everything, as plain data
-- save_connections(handles) → moved        without the node's state: connections that come later
-- save_messages(handles) → moved           only the messages that nobody has asked for
-- remaining() → name → seconds             of the timers the script declares
-- restore(moved, handles)                  the new side: the node's and the connections' state, in place
-- undo(handles, moved?)                    takes that back, but for the messages
-- bind(i) → count                          then, for each: its codec, messages that wait; how many another codec has decoded
-- keep(i)                                  the same, with the codec that it has
-- check(handles)                           whether what restore has made could move on one day
-- start_timers(remaining)
-- at() → hook, address                     what the last of these was doing, for its error
-- What is kept between these calls goes with this chunk, afterwards (`forgetting.lua`).
--
-- moved: { tables = { { key, value, key, value … } … }, state, conns = { { state, peer, stash, is_raw } … }, version }, where a
-- value is a string, a number, a boolean, or a reference: { n } a table, { n, "array" } one marked by json.array, { i, "conn" }
-- the i-th handle, { id, "gone", … } a handle of a connection that does not move, { 0, "node" }, { 0, "null" }.
local host = ...
local lib, script, node = host.lib, host.script, host.handle
local error, getmetatable, ipairs, math_type, next = error, getmetatable, ipairs, math.type, next
local rawget, rawset, setmetatable, type = rawget, rawset, setmetatable, type
local format, match = string.format, string.match
local now = host.time.now

local M = {}

local at_hook, at_conn
local function note(hook, conn) at_hook, at_conn = hook, conn end
function M.at() return at_hook, at_conn and at_conn.address end

local offers = { state = "save and restore", conn = "save_connection and restore_connection" }

local function step(key)
  if math_type(key) == "integer" then return format("[%d]", key) end
  if type(key) ~= "string" then return "[" .. type(key) .. "]" end
  return match(key, "^[%a_][%w_]*$") and "." .. key or format("[%q]", key)
end

-- What cannot move, in words.
local function kind_of(value)
  local kind = type(value)
  if kind == "function" then return "a function" end
  if kind == "thread" then return "a coroutine" end
  if kind ~= "table" then return "a userdata" end
  local meta = getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and "a " .. name or "a table with a metatable"
end

-- An encoder for the values of one move; `own`: handle → its place among those that move.
local function encoder(own)
  local tables, references = {}, {}
  -- The n-th table, where it was first met, and under which key: the way to it.
  local found, parents, keys, count, done = {}, {}, {}, 0, 0

  local function refuse(value, parent, key)
    local path = ""
    while type(parent) == "number" do
      path, parent, key = step(key) .. path, parents[parent], keys[parent]
    end
    error(format("%s%s is %s, and only plain data moves to other code; offer %s, or take it out in the console",
      parent.name, path, kind_of(value), offers[parent.kind]), 0)
  end

  local function reference(value, parent, key)
    local meta = getmetatable(value)
    if meta ~= nil then
      if value == node then return { 0, "node" } end
      if lib.conn.is_conn(value) then
        if own[value] then return { own[value], "conn" } end
        local peer = type(value.peer) == "string" and value.peer or false
        return { value.id, "gone", value.address, value.local_address, value.side, peer }
      end
      if value == lib.json_marks.null then return { 0, "null" } end
      if meta ~= lib.json_marks.Array then refuse(value, parent, key) end
    end
    count = count + 1
    found[count], parents[count], keys[count] = value, parent, key
    return meta and { count, "array" } or { count }
  end

  local function encode(value, parent, key)
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" then return value end
    if kind ~= "table" then refuse(value, parent, key) end
    local known = references[value]
    if not known then
      known = reference(value, parent, key)
      references[value] = known
    end
    return known
  end

  -- Without recursion: however deep, it takes no stack.
  local function finish()
    while done < count do
      done = done + 1
      local list, n = {}, 0
      for key, value in next, found[done] do
        list[n + 1], list[n + 2] = encode(key, done, key), encode(value, done, key)
        n = n + 2
      end
      tables[done] = list
    end
    return tables
  end

  -- A value at the top: nil is false.
  return function(value, root)
    if value == nil then return false end
    return encode(value, root, nil)
  end, finish
end

-- Whether a connection's messages are what came between two cuts, which is the same to any code.
local function is_raw(conn)
  local codec = conn[2] and conn[2].codec
  return not (codec and (codec.decode or codec.decode_view))
end

local function save_stash(conn, encode, name)
  local stash = lib.inbox.stash_of(conn)
  return stash[1] ~= nil and encode(stash, { name = name .. ": a message that waits", kind = "conn" })
end

local function save_each(handles, encode)
  local conns, save = {}, script.save_connection
  for i, conn in ipairs(handles) do
    local name = format("conn %d (%s)", conn.id, conn.address)
    local data, at = conn.state, { name = name .. ": state", kind = "conn" }
    if save then
      note("save_connection", conn)
      data, at = save(conn), { name = name .. ": what save_connection gave", kind = "conn" }
      note("save")
    end
    conns[i] = { encode(data, at), encode(rawget(conn, "peer"), { name = name .. ": peer", kind = "conn" }),
      save_stash(conn, encode, name), is_raw(conn) }
  end
  return conns
end

local function places(handles)
  local own = {}
  for i, conn in ipairs(handles) do own[conn] = i end
  return own
end

function M.save(handles)
  note("save")
  local encode, finish = encoder(places(handles))
  local state, at = node.state, { name = "state", kind = "state" }
  if script.save then state, at = script.save(state), { name = "what save gave", kind = "state" } end
  local moved = { state = encode(state, at), conns = save_each(handles, encode), version = script.version }
  moved.tables = finish()
  return moved
end

function M.save_connections(handles)
  note("save")
  local encode, finish = encoder(places(handles))
  local moved = { conns = save_each(handles, encode), version = script.version }
  moved.tables = finish()
  return moved
end

function M.save_messages(handles)
  local encode, finish = encoder(places(handles))
  local conns = {}
  for i, conn in ipairs(handles) do conns[i] = { false, false, save_stash(conn, encode, "conn"), is_raw(conn) } end
  local moved = { conns = conns }
  moved.tables = finish()
  return moved
end

function M.remaining()
  local seconds = {}
  for name, timer in next, host.timers or {} do seconds[name] = timer.due - now() end
  return seconds
end

local function decoder(moved, handles)
  local made, gone = {}, {}
  for i = 1, #moved.tables do made[i] = {} end

  local function decode(value)
    if type(value) ~= "table" then return value end
    local number, kind = value[1], value[2]
    if not kind then return made[number] end
    if kind == "array" then return lib.json_marks.array(made[number]) end
    if kind == "conn" then return handles[number] end
    if kind == "node" then return node end
    if kind == "null" then return lib.json_marks.null end
    local conn = gone[number]
    if not conn then
      conn = lib.conn.make(false, number, value[3], value[4], value[5])
      if value[6] then rawset(conn, "peer", value[6]) end
      gone[number] = conn
    end
    return conn
  end

  for i, list in ipairs(moved.tables) do
    local into = made[i]
    for j = 1, #list, 2 do into[decode(list[j])] = decode(list[j + 1]) end
  end
  return decode
end

local function expect_table(value, what, fn)
  if type(value) == "table" then return value end
  local place, message = fn and host.text.place(fn), format("%s, got %s", what, lib.text.got(value))
  error(place and place .. ": " .. message or message, 0)
end

local stashes, raw = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
local bound, before
local function expect_messages(conn, saved, decode) stashes[conn], raw[conn] = decode(saved[3]) or nil, saved[4] end

function M.restore(moved, handles)
  note("restore")
  local decode = decoder(moved, handles)
  before = { state = node.state }
  for _, conn in ipairs(handles) do before[conn] = { state = conn.state, peer = rawget(conn, "peer") } end
  if moved.state ~= nil then
    local data = decode(moved.state)
    if script.restore then
      node.state = expect_table(script.restore(data or nil, moved.version), "restore must return the new state, a table",
        script.restore)
    else
      node.state = expect_table(data or nil, "what save gave becomes the state, where there is no restore: a table is expected")
    end
  end
  bound = handles
  for i, conn in ipairs(handles) do
    local saved = moved.conns[i]
    local data, peer = decode(saved[1]), decode(saved[2])
    rawset(conn, "peer", peer or nil)
    if script.restore_connection then
      note("restore_connection", conn)
      local state = script.restore_connection(conn, data or nil, moved.version)
      if state ~= nil then conn.state = state end
    else
      conn.state = data or {}
    end
    expect_messages(conn, saved, decode)
  end
end

-- Takes back what restore did, where it was not all.
function M.undo(handles, moved)
  for key, value in next, before or {} do
    if key == "state" then
      node.state = value
    else
      key.state = value.state
      rawset(key, "peer", value.peer)
    end
  end
  before, bound = nil, handles
  local decode = moved and decoder(moved, handles)
  for i, conn in ipairs(handles) do
    stashes[conn], raw[conn] = nil, nil
    if moved then expect_messages(conn, moved.conns[i], decode) end
  end
end

-- Where a script does not say how its state is saved, what restore made of it must be plain data: it could never be replaced.
function M.check(handles)
  note("restore")
  local encode, finish = encoder(places(handles))
  if script.restore and not script.save then encode(node.state, { name = "state", kind = "state" }) end
  if script.restore_connection and not script.save_connection then
    for _, conn in ipairs(handles) do
      encode(conn.state, { name = format("conn %d (%s): state", conn.id, conn.address), kind = "conn" })
    end
  end
  finish()
end

function M.keep(i)
  local conn = bound[i]
  local stash = stashes[conn] or {}
  lib.inbox.adopt_stash(conn, stash)
  return raw[conn] and is_raw(conn) and 0 or #stash
end

function M.bind(i)
  note("codec", bound[i])
  lib.glue.adopt(bound[i])
  return M.keep(i)
end

function M.start_timers(remaining)
  if script.timers[1] then lib.node_time.start_timers(node, script.timers, remaining) end
end

return M
