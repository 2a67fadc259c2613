-- How bytes become messages and messages reach the script: one binding per codec.
--
-- A binding is { pull = function(conn) → found, message, encode = function(message) → bytes or nil,
-- loop = function(node, conn) or nil }. It stands in conn[2].
local host = ...
local next_message, view, take, expect = host.conn.next_message, host.conn.view, host.conn.take, host.conn.expect
local fail_decoding, is_open = host.conn.fail_decoding, host.conn.is_open
local new_error, text, place_of = host.error.new, host.lib.text, host.text.place
-- What a decoder looks at is gone once control returns to the loop, and two of one connection must not interleave.
local unyielding = host.unyielding
local error, tostring, type, format, math_type = error, tostring, type, string.format, math.type
local rawget, find, is_ours = rawget, string.find, host.error.is

-- What a decoder has raised, in words. It may be anything: its metamethods fail, or say nothing, and cannot wait.
local function words_of(cause)
  local message = cause
  if type(cause) == "table" then message = rawget(cause, "message") end
  if type(message) == "string" then return message end
  local ok, words = unyielding(tostring, cause)
  if not ok then return format("(an error object whose __tostring fails: a %s)", type(cause)) end
  -- An address says nothing to anybody.
  if cause == nil or find(words, "^%a+: 0x%x+$") then
    return "an error value without a message was raised: a " .. type(cause)
  end
  return words
end

-- Bytes that are no message break the connection, whoever reads it; the reader gets an error of kind `decode`, with
-- the decoder's own words, and with its place where they have none and are not about the bytes alone.
local function break_off(conn, cause, fn)
  local message = words_of(cause)
  if fn and not (is_ours(cause) and cause.kind == "decode") and not find(message, "^[^\n]-:%d+: ") then
    local place = place_of(fn)
    if place then message = place .. ": " .. message end
  end
  fail_decoding(conn, message)
  error(new_error("decode", message, { peer = conn.address }), 0)
end

-- A function of the codec's that does not keep to what it promises: the script's mistake, so with its place.
local function broken(conn, fn, ...)
  local place, message = place_of(fn), format(...)
  if place then message = place .. ": " .. message end
  fail_decoding(conn, message)
  error(new_error("decode", message, { peer = conn.address, is_fault = true }), 0)
end

local function checked(conn, decode, bytes)
  local ok, message = unyielding(decode, bytes)
  if not ok then break_off(conn, message, decode) end
  if message == nil then broken(conn, decode, "the codec's decode returned nil for a whole frame") end
  -- A decoder may have ended its own connection; nothing reaches the script after that.
  return is_open(conn), message
end

local function pull_native(conn)
  local bytes = next_message(conn)
  if bytes then return true, bytes end
  return false
end

local function pull_decoded(decode)
  return function(conn)
    local bytes = next_message(conn)
    if not bytes then return false end
    return checked(conn, decode, bytes)
  end
end

-- header bytes → how long the whole frame is → the frame, cut natively
local function pull_framed(codec)
  local header, size_of, max, decode = codec.header, codec.size_of, codec.max, codec.decode
  return function(conn)
    local head = take(conn, header, true)
    if not head then return false end
    local ok, size = unyielding(size_of, head)
    if not ok then break_off(conn, size, size_of) end
    if math_type(size) ~= "integer" or size < header then
      broken(conn, size_of, "the codec's size returned %s for a header of %d bytes: a whole number of at least that is "
        .. "expected", text.got(size), header)
    end
    if size > max then break_off(conn, format("a frame of %d bytes is over the codec's max of %d", size, max)) end
    local frame = take(conn, size)
    if not frame then return false end
    if decode then return checked(conn, decode, frame) end
    return true, frame
  end
end

-- full control: the decoder looks at a view of what has arrived. `refuse` gets what it must not return, or has raised; the
-- engine calls it too, where it calls the decoder itself (messages.c).
local function refusal_of(codec)
  local decode, max = codec.decode_view, codec.max
  return function(conn, available, ok, message, count)
    if not ok then break_off(conn, message, decode) end
    local is_whole = math_type(count) == "integer"
    if message == nil then
      if count ~= nil and not (is_whole and count > available) then
        broken(conn, decode, "the decoder asked for %s bytes in all when it had %d", tostring(count), available)
      end
      break_off(conn, format("a message of over %d bytes, the codec's max", max))
    end
    if not is_whole or count < 1 or count > available then
      broken(conn, decode, "the decoder says it took %s bytes of %d: it must take at least 1 and no more than there are",
        tostring(count), available)
    end
    break_off(conn, format("a message of %d bytes is over the codec's max of %d", count, max))
  end
end

local function pull_custom(codec)
  local decode, max, refuse = codec.decode_view, codec.max, refusal_of(codec)
  return function(conn)
    local buffer, available = view(conn)
    if available == 0 then return false end
    local ok, message, count = unyielding(decode, buffer)
    local is_whole = math_type(count) == "integer"
    if ok and message ~= nil and is_whole and count >= 1 and count <= available and count <= max then
      -- Nil where the decoder has ended its own connection.
      return take(conn, count, false, true) or false, message
    end
    local need = count == nil and available + 1 or is_whole and count
    if ok and message == nil and need and need > available and need <= max then
      expect(conn, need)
      return false
    end
    return refuse(conn, available, ok, message, count)
  end, refuse
end

local pulls = { framed = pull_framed, custom = pull_custom }

local function pull_of(codec)
  local make = pulls[codec.kind]
  if make then return make(codec) end
  return codec.decode and pull_decoded(codec.decode) or pull_native
end

local M = {}

-- Stashed messages come first, and replies that a request waits for do not reach the hook: `next_for_hook` sees to both.
function M.loop(pull, process_message)
  local dispatching, next_for_hook, next_run = host.conn.dispatching, host.lib.conn.next_for_hook, host.next_run
  return function(node, conn)
    while dispatching(conn) do
      local found, message = next_for_hook(conn, pull)
      if not found then return end
      process_message(node, conn, message)
      -- A slow message is not charged to the next.
      next_run()
    end
  end
end

function M.bind(codec, process_message)
  local pull, refuse = pull_of(codec)
  local binding = { pull = pull, encode = codec.encode, codec = codec, decode = codec.decode_view, refuse = refuse }
  if process_message then binding.loop = M.loop(pull, process_message) end
  -- With nothing to do in Lua between the socket and the hook, or a decoder only, the engine hands each message to the
  -- hook itself.
  binding.direct = pull == pull_native
  return binding
end

return M
