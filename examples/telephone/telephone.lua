-- A player of telephone: hears a phrase from one neighbour, and whispers what they think it was to the other.
local codec = require "moonpeer.codec"
local log = require "moonpeer.log"

local sounds_like = {
  send = "lend", lend = "mend", reinforcements = "three and fourpence", going = "growing", growing = "glowing",
  advance = "a dance", dance = "chance", ["and"] = "hand",
}

-- Each word by itself is misheard as often as the arguments say.
local function misheard(node, phrase)
  return (phrase:gsub("%a+", function(word)
    if sounds_like[word] and node:random() < node.args.mishear then return sounds_like[word] end
  end))
end

return {
  name = "player",
  version = 1,
  codec = codec.lines { max = "1KiB" },

  args = { mishear = { default = 0.0, help = "how likely a word is misheard, from 0 (never) to 1 (always)" } },

  -- Each side says its name and learns the other's, which becomes conn.peer. Both send first: nobody waits for nobody.
  handshake = function(node, conn)
    conn:send(node.name)
    local name, why = conn:receive()
    if not name then error { kind = why, message = "no name was given" } end
    return name
  end,

  process_message = function(node, conn, phrase)
    local said = misheard(node, phrase)
    node.state.heard, node.state.said = phrase, said
    log.info(("hears \"%s\" from %s"):format(phrase, conn.peer))
    if said ~= phrase then log.notice(("understands \"%s\""):format(said)) end
    -- All neighbours but the one it came from: in a line, that is the next player, and for the last one nobody.
    node:broadcast(said, { except = conn })
  end,

  calls = {
    -- say(phrase) → how many neighbours it was whispered to
    say = function(node, phrase)
      node.state.said = phrase
      log.info(("whispers \"%s\""):format(phrase))
      return node:broadcast(phrase)
    end,
    heard = function(node) return node.state.heard end,
    said = function(node) return node.state.said end,
  },
}
