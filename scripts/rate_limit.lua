-- A token bucket for every connection, in front of a service that answers each line with "ok: <line>".
-- A message takes a token; tokens come back at `rate` a second, up to `burst`. Without a token, `over` says what happens:
--   wait         the message waits for its token. Meanwhile nothing is read from this peer, and TCP slows it down
--   drop         the message is thrown away
--   disconnect   the peer is told, and the connection ends
local codec = require "moonpeer.codec"
local log = require "moonpeer.log"

-- Tokens are not handed out by a timer: how many have come back is worked out when somebody asks.
local function refill(bucket, now, args)
  bucket.tokens = math.min(args.burst, bucket.tokens + (now - bucket.at) * args.rate)
  bucket.at = now
end

-- What is done without a token → whether the message is served after all.
local over = {
  wait = function(node, conn, bucket)
    while bucket.tokens < 1 do
      node:sleep((1 - bucket.tokens) / node.args.rate)
      refill(bucket, node:now(), node.args)
    end
    return true
  end,

  drop = function(node, conn)
    conn.state.dropped = (conn.state.dropped or 0) + 1
    node.state.dropped = (node.state.dropped or 0) + 1
    -- Once per connection: a log line per message would let a peer fill the disk.
    if conn.state.dropped == 1 then log.warning "over the limit: dropping" end
    return false
  end,

  disconnect = function(_, conn)
    conn:send "error: too many messages"
    conn:disconnect "over the rate limit"
    return false
  end,
}

return {
  name = "rate_limit",
  version = 1,
  codec = codec.lines { max = "64KiB" },

  args = {
    rate = { default = 10.0, help = "messages a second" },
    burst = { default = 20, help = "messages at once after a pause" },
    over = { default = "wait", help = "over the limit: wait, drop or disconnect" },
  },

  init = function(_, args)
    -- The node does not start with an argument that makes no sense.
    if not over[args.over] then error("over must be wait, drop or disconnect, not " .. args.over, 0) end
    if args.rate <= 0 or args.burst < 1 then error("rate must be more than 0, burst at least 1", 0) end
  end,

  on_connect = function(node, conn)
    -- Runs before the first message is handled.
    conn.state.bucket = { tokens = node.args.burst, at = node:now() }
  end,

  process_message = function(node, conn, line)
    local bucket = conn.state.bucket
    refill(bucket, node:now(), node.args)
    if bucket.tokens < 1 and not over[node.args.over](node, conn, bucket) then return end
    bucket.tokens = bucket.tokens - 1
    conn:send("ok: " .. line)
  end,

  calls = { dropped = function(node) return node.state.dropped or 0 end },
}
