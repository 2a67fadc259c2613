-- A chat room for anything that speaks lines:  nc 127.0.0.1 4000
-- The first line a visitor sends is their name. After that every line is for all others, but for /who and /quit.
local codec = require "moonpeer.codec"

-- Lines end in \n, or in \r\n from telnet; control characters have no business on other people's terminals.
local lines = codec.map(codec.lines { max = "4KiB" }, {
  decode = function(line) return (line:gsub("%c", "")) end,
})

-- Visitors sorted by name, so that everybody is shown the same list.
local function names(node)
  local list = {}
  for _, conn in ipairs(node:connections()) do list[#list + 1] = conn.peer end
  table.sort(list)
  return list
end

local function objection(node, name)
  if not name:find("^[%w_-]+$") or #name > 20 then return "* a name is 1 to 20 letters, digits, - or _" end
  for _, other in ipairs(names(node)) do
    if other:lower() == name:lower() then return "* somebody is called " .. other .. " already" end
  end
end

local commands = {
  who = function(node, conn) conn:send("* here: " .. table.concat(names(node), ", ")) end,
  quit = function(_, conn)
    conn:send "* bye"
    conn:disconnect "quit"
  end,
}

return {
  name = "chat",
  version = 1,
  -- People type slowly, and may well just listen.
  config = { handshake_timeout = "1m", idle_timeout = "1h" },
  codec = lines,

  -- What it returns is conn.peer. Nothing waits between the look at the other names and the return, so no two visitors
  -- can take the same one.
  handshake = function(node, conn)
    conn:send "* your name?"
    for _ = 1, 3 do
      local name, why = conn:receive()
      if not name then error { kind = why, message = "left without a name" } end
      local problem = objection(node, name)
      if not problem then return name end
      conn:send(problem)
    end
    conn:flush()
    error { kind = "rejected", message = "three unusable names" }
  end,

  on_connect = function(node, conn)
    conn:send(("* welcome, %s; /who shows who is here, /quit leaves"):format(conn.peer))
    node:broadcast(("* %s has joined"):format(conn.peer), { except = conn })
  end,

  process_message = function(node, conn, line)
    local command = line:match "^/(%S*)"
    if not command then
      -- Whoever reads too slowly misses lines; they do not hold up the room.
      if line ~= "" then node:broadcast(("%s: %s"):format(conn.peer, line), { except = conn }) end
    elseif commands[command] then
      commands[command](node, conn)
    else
      conn:send("* there is no /" .. command .. "; try /who or /quit")
    end
  end,

  on_disconnect = function(node, conn)
    node:broadcast(("* %s has left"):format(conn.peer), { except = conn })
  end,

  calls = { who = names },
}
