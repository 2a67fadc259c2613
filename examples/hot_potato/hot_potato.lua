-- A player of hot potato: whoever has the potato holds it for a moment and throws it to somebody; whoever is caught with
-- it at the last hop has lost, and tells everybody.
local codec = require "moonpeer.codec"
local log = require "moonpeer.log"

-- Five kinds of message on one connection, told apart by their first byte.
local messages = codec.union {
  { 1, "hello", codec.struct { { "name", "s1" } } },
  { 2, "potato", codec.struct { { "hop", "u32" }, { "limit", "u32" } } },
  { 3, "caught" },
  { 4, "refused" },
  { 5, "burnt", codec.struct { { "name", "s1" } } },
}

local function is_answer(message) return message.type == "caught" or message.type == "refused" end

local function somebody(node)
  while true do
    local others = node:connections()
    if #others > 0 then return others[node:random(#others)] end
    -- Alone with a hot potato: until somebody joins.
    node:sleep(node.args.hold)
  end
end

-- The potato is out of our hands when somebody says that they have caught it, not before: whoever was chosen may be
-- leaving, or gone.
local function throw(node, potato)
  repeat
    local next_one = somebody(node)
    local message = { type = "potato", hop = potato.hop + 1, limit = potato.limit }
    local answer = next_one:request(message, { match = is_answer })
    log.debug("throws", { hop = message.hop, to = next_one.peer, answer = answer and answer.type or "none" })
  until answer and answer.type == "caught"
end

-- What is caught, is held: nothing waits in here, so no other message is handled in between.
local function catch(node, potato)
  local state = node.state
  state.holding = potato.hop
  -- Everything this player ever held. A ledger that only grows can be compared with the others' at any time.
  state.ledger[#state.ledger + 1] = potato.hop
  -- A task of its own: a run of process_message would end with its connection, and the potato would be gone.
  node:spawn(function()
    node:sleep(node.args.hold)
    if potato.hop < potato.limit then
      throw(node, potato)
    else
      state.loser = node.name
      log.info("burns their fingers", { hop = potato.hop })
      node:broadcast { type = "burnt", name = node.name }
    end
    state.holding = nil
  end)
end

return {
  name = "hot_potato",
  version = 1,
  codec = messages,

  args = { hold = { default = "5ms", type = "duration", help = "how long a player holds the potato" } },

  init = function(node) node.state.ledger = {} end,

  handshake = function(node, conn)
    conn:send { type = "hello", name = node.name }
    local hello = conn:receive()
    if not hello or hello.type ~= "hello" then error { kind = "handshake", message = "a hello is expected" } end
    return hello.name
  end,

  process_message = function(node, conn, message)
    local state = node.state
    if message.type == "burnt" then
      state.loser = message.name
    elseif message.type ~= "potato" then
      codec.invalid("nobody asked for " .. message.type)
    elseif state.is_leaving then
      conn:send { type = "refused" }
    else
      catch(node, message)
      conn:send { type = "caught" }
    end
  end,

  calls = {
    -- start(limit): this player has the potato first; whoever holds it at hop `limit` loses
    start = function(node, limit) catch(node, { hop = 1, limit = limit }) end,
    -- leave(): in good order: catches nothing more, gets rid of what it holds, and goes
    leave = function(node)
      node.state.is_leaving = true
      while node.state.holding do node:sleep(node.args.hold) end
      node:shut_down()
    end,
    ledger = function(node) return node.state.ledger end,
    loser = function(node) return node.state.loser end,
  },
}
