-- RESP2, the protocol of Redis, as a codec: https://redis.io/docs/latest/develop/reference/protocol-spec/
--
-- A request comes out as a list of strings, { "SET", "key", "value" }, or as { problem = "ERR …" } where the bytes are no
-- request: Redis says so before it hangs up, and that is for the script to do.
-- A reply goes in as a string (a bulk string), an integer, a list of replies, resp.null, or what resp.status and
-- resp.error make.
local codec = require "moonpeer.codec"
local words = require "words"

local M = {}

-- As in Redis, but for the bulk strings: those may be 512 MiB there.
local max_line, max_arguments, max_bulk = 64 * 1024, 1024 * 1024, 32 * 1024 * 1024

M.null = setmetatable({}, { __name = "null" })
function M.status(text) return { status = text } end
function M.error(text) return { error = text } end

-- A whole number as Redis reads one: no blanks, no plus sign, no fraction, no leading zero.
function M.whole(text)
  if text ~= "0" and not text:find "^%-?[1-9]%d*$" then return nil end
  return math.tointeger(tonumber(text))
end

-- Takes everything: nobody knows where the next request would start.
local function problem(buffer, text)
  return { problem = "ERR Protocol error: " .. text }, #buffer
end

-- PING\r\n, as people type it into nc.
local function inline(buffer)
  local stop = buffer:find "\n"
  if not stop then
    if #buffer > max_line then return problem(buffer, "too big inline request") end
    return nil
  end
  local request = words((buffer:bytes(1, stop - 1):gsub("\r$", "")))
  if not request then return problem(buffer, "unbalanced quotes in request") end
  return request, stop
end

-- The number in the line that starts at `from`, and where the next line starts. Nothing: it has not all arrived.
local function number_at(buffer, from)
  local stop = buffer:find("\r\n", from)
  if stop then return M.whole(buffer:bytes(from, stop - from)) or -1, stop + 2 end
end

-- *2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n
local function multibulk(buffer)
  local count, at = number_at(buffer, 2)
  if not count then
    if #buffer > max_line then return problem(buffer, "too big mbulk count string") end
    return nil
  end
  if count > max_arguments or count < 0 and not buffer:starts_with "*-" then
    return problem(buffer, "invalid multibulk length")
  end
  local request = {}
  for i = 1, count do
    if #buffer < at then return nil end
    if buffer:bytes(at, 1) ~= "$" then
      return problem(buffer, ("expected '$', got '%s'"):format(buffer:bytes(at, 1)))
    end
    local length, start = number_at(buffer, at + 1)
    if not length then
      if #buffer - at > max_line then return problem(buffer, "too big bulk count string") end
      return nil
    end
    if length < 0 or length > max_bulk then return problem(buffer, "invalid bulk length") end
    -- How much there must be before it is worth to look again.
    local last = start + length + 1
    if #buffer < last then return nil, last end
    request[i] = buffer:bytes(start, length)
    at = last + 1
  end
  return request, at - 1
end

local function encode(reply)
  if type(reply) == "string" then return "$" .. #reply .. "\r\n" .. reply .. "\r\n" end
  if math.type(reply) == "integer" then return ":" .. reply .. "\r\n" end
  if reply == M.null then return "$-1\r\n" end
  if reply.status then return "+" .. reply.status .. "\r\n" end
  -- The text is partly the client's: a line break in it would end the reply early.
  if reply.error then return "-" .. reply.error:gsub("[\r\n]", " ") .. "\r\n" end
  local parts = { "*" .. #reply .. "\r\n" }
  for _, part in ipairs(reply) do parts[#parts + 1] = encode(part) end
  return table.concat(parts)
end

M.codec = codec.custom {
  max = "40MiB",
  decode = function(buffer)
    if buffer:starts_with "*" then return multibulk(buffer) end
    return inline(buffer)
  end,
  encode = encode,
}

return M
