-- string.pack formats, taken apart: how many values a record has, how long it is, and how to find its end in bytes
-- that are still arriving.
--
-- A piece is how a codec stands inside another one's frame or stream:
--   size               bytes, where all messages have the same length
--   measure(view, at)  → the index after the message that starts at `at`, or nil, how many bytes are needed in all
--   decode(bytes)      → the message these bytes are, neither more nor fewer; or raises
--   encode(message)    → its bytes
local host = ...
local base = host.lib.codec_base
local error, pcall = error, pcall
local format, match, sub = string.format, string.match, string.sub
local packsize, unpack = string.packsize, string.unpack

local M = {}

-- One step of a format from `at`: the option's letter, its digits, and where the next one starts.
local function option(text, at)
  local letter = sub(text, at, at)
  local digits = match(text, "^%d+", at + 1) or ""
  return letter, digits, at + 1 + #digits
end

local function fail(problem)
  error({ problem = problem }, 0)
end

-- The bytes of an "s" option's length.
local function length_size(digits)
  if digits == "" then return 8 end
  local ok, size = pcall(packsize, "I" .. digits)
  if not ok then fail(format("%q: a length is 1 to 16 bytes", "s" .. digits)) end
  return size
end

local function parse(text)
  local values, runs, endian, run, variable, aligned = 0, {}, ">", "", false, false
  local at = 1
  local function end_run()
    if run ~= "" then runs[#runs + 1] = { kind = "fixed", size = packsize(endian .. run) } end
    run = ""
  end
  while at <= #text do
    local letter, digits, next_at = option(text, at)
    local whole = letter .. digits
    if letter == "<" or letter == ">" or letter == "=" then
      end_run()
      endian = letter
    elseif letter == "s" or letter == "z" then
      end_run()
      variable, values = true, values + 1
      runs[#runs + 1] = letter == "z" and { kind = "zero" }
        or { kind = "string", layout = endian .. "I" .. (digits == "" and "8" or digits),
             size = length_size(digits) }
    elseif letter == "!" or letter == "X" then
      aligned = true
      if letter == "X" then
        local _, _, after = option(text, next_at)
        next_at = after
      end
    elseif letter ~= " " then
      local ok, cause = pcall(packsize, endian .. whole)
      if not ok then fail(format("%q: %s", whole, match(cause, "%((.-)%)$") or cause)) end
      run = run .. whole
      if letter ~= "x" then values = values + 1 end
    end
    at = next_at
  end
  end_run()
  if aligned and variable then fail("alignment (! and X) needs a record of fixed size") end
  return values, runs, variable
end

-- A length of more bytes than an integer has, which string.unpack refuses by itself; -1: it does not fit.
local function wide_length(layout, bytes)
  local ok, length = pcall(unpack, layout, bytes)
  return ok and length or -1
end

-- Where the record that starts at `at` ends, looking no further than what has arrived.
local function measure_runs(runs, max)
  return function(view, at)
    local first, available = at, #view
    for i = 1, #runs do
      local run = runs[i]
      if run.kind == "zero" then
        local zero = at <= available and view:find("\0", at)
        if not zero then
          if available - first + 1 >= max then base.invalid(format("no end of a text within %d bytes", max)) end
          return nil, available + 1
        end
        at = zero + 1
      else
        at = at + run.size
        if available < at - 1 then return nil, at - 1 end
        if run.kind == "string" then
          local bytes = view:bytes(at - run.size, run.size)
          local length = run.size > 8 and wide_length(run.layout, bytes) or unpack(run.layout, bytes)
          if length < 0 or length > max then
            base.invalid(format("a text of %s bytes is over the max of %d", length < 0 and "over 2^63" or length, max))
          end
          at = at + length
          if available < at - 1 then return nil, at - 1 end
        end
      end
      if at - first > max then base.invalid(format("a record of over %d bytes", max)) end
    end
    return at
  end
end

local function compile(text, max)
  local layout = ">" .. text
  local values, runs, variable = parse(text)
  if values == 0 then fail("it holds no value") end
  local size
  if not variable then
    local ok, count = pcall(packsize, layout)
    if not ok then fail(match(count, "%((.-)%)$") or count) end
    if count < 1 then fail("it takes no bytes") end
    if count > max then fail(format("a record of %d bytes is over the max of %d", count, max)) end
    size = count
  end
  local made = { layout = layout, values = values, size = size }
  if size then
    function made.measure(view, at)
      if #view < at + size - 1 then return nil, at + size - 1 end
      return at + size
    end
  else
    made.measure = measure_runs(runs, max)
  end
  return made
end

-- A format, ready for use: { layout, values, size or nil, measure }; or nil and what is wrong with it. Big-endian
-- unless the format says otherwise; a bare "s" has a length of 8 bytes.
function M.compile(text, max)
  local ok, made = pcall(compile, text, max)
  if ok then return made end
  return nil, made.problem or made
end

-- The codec that a piece makes when it stands alone on a connection.
function M.codec_of(piece, max)
  if piece.size then
    return base.new {
      kind = "fixed", size = piece.size, max = piece.size, decode = piece.decode, encode = piece.encode, piece = piece,
    }
  end
  local measure, decode = piece.measure, piece.decode
  return base.new {
    kind = "custom", max = max, encode = piece.encode, piece = piece,
    decode_view = function(view)
      local after, need = measure(view, 1)
      if not after then return nil, need end
      return decode(view:bytes(1, after - 1)), after - 1
    end,
  }
end

-- An encoder's result, within the codec's bound.
function M.bounded(bytes, max)
  if #bytes > max then error(format("a record of %d bytes is over the codec's max of %d", #bytes, max), 0) end
  return bytes
end

return M
