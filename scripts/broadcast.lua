-- Gossip: what one node publishes reaches every node once, over whatever connections there are.
-- Every node hands on what is new to it to all neighbours but the one it came from; what it has seen before ends there.
-- So the flood goes round a ring or through a mesh and dies out. Two of them, the second of which says something:
--   moonpeer run scripts/broadcast.lua --listen 127.0.0.1:4000
--   moonpeer run scripts/broadcast.lua --set seeds=127.0.0.1:4000 --set announce=hello
local codec = require "moonpeer.codec"
local log = require "moonpeer.log"

-- How many identifiers are remembered: at least this many, at most twice. Without a bound, memory would grow for ever.
local remembered = 10000

-- Identifiers in two generations: when the new one is full it becomes the old one, and the old one is forgotten.
local function no_identifiers()
  return { new = {}, old = {}, count = 0 }
end

-- Whether `id` was seen before; from now on it was.
local function seen(ids, id)
  if ids.new[id] or ids.old[id] then return true end
  if ids.count == remembered then ids.old, ids.new, ids.count = ids.new, {}, 0 end
  ids.new[id] = true
  ids.count = ids.count + 1
  return false
end

-- → how many neighbours it went to
local function publish(node, text)
  local message = { id = node:random(0, math.maxinteger), hops = 1, text = text }
  -- It will come back to us, and is no news then.
  seen(node.state.ids, message.id)
  return node:broadcast(message)
end

local function deliver(node, message)
  local state = node.state
  state.heard[#state.heard + 1] = { text = message.text, hops = message.hops }
  -- The newest are enough to show.
  if #state.heard > 100 then table.remove(state.heard, 1) end
  log.info("heard", { text = message.text, hops = message.hops })
end

return {
  name = "broadcast",
  version = 1,

  codec = codec.struct { { "id", "u64" }, { "hops", "u8" }, { "text", "s2" }, max = "64KiB" },

  args = {
    seeds = { default = "", help = "addresses of nodes to join, separated by spaces" },
    announce = { default = "", help = "a text to publish every five seconds" },
  },

  init = function(node, args)
    node.state.ids = no_identifiers()
    node.state.heard, node.state.duplicates = {}, 0
    -- A seed may be down; the others will do.
    for address in args.seeds:gmatch "%S+" do
      node:spawn(function()
        local _, problem = node:connect(address)
        if problem then log.warning("cannot join", { seed = address, why = problem.message }) end
      end)
    end
  end,

  process_message = function(node, conn, message)
    if seen(node.state.ids, message.id) then
      node.state.duplicates = node.state.duplicates + 1
      return
    end
    deliver(node, message)
    if message.hops < 255 then
      message.hops = message.hops + 1
      node:broadcast(message, { except = conn })
    end
  end,

  timers = {
    announce = {
      every = "5s",
      -- So that nodes that were started together do not all speak at once.
      jitter = "500ms",
      run = function(node)
        if node.args.announce ~= "" then publish(node, node.args.announce) end
      end,
    },
  },

  calls = {
    publish = publish,
    heard = function(node) return node.state.heard end,
    duplicates = function(node) return node.state.duplicates end,
  },
}
