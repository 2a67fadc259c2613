-- What the console asks of a node's VM. Loaded with its first question.
--
-- evaluate(chunk, form) → what the code returns, as texts for people ("text") or as plain data ("data")
-- fields(path) → the names in the table that such a path (`node.state.users`) leads to, without running anything; and
--                what it is: "node", "conn", "table" or nil
-- trace(conn, id), untrace(conn): each message, decoded, to host.console.note(id, direction, text)
local host = ...
local lib = host.lib
local conns = lib.conn
local error, getmetatable, ipairs, next = error, getmetatable, ipairs, next
local rawequal, rawget, rawlen, setmetatable = rawequal, rawget, rawlen, setmetatable
local tostring, type = tostring, type
local byte, find, format, gsub, match, rep, sub =
  string.byte, string.find, string.format, string.gsub, string.match, string.rep, string.sub
local concat, pack, sort, unpack = table.concat, table.pack, table.sort, table.unpack
local math_type, utf8_len = math.type, utf8.len
local wanted, note, set_binding = host.console.wanted, host.console.note, host.console.set_binding
local unyielding = host.unyielding
local globals = _G

local M = {}

-- Bounds of what is shown: levels of tables, entries of one, bytes of a string, bytes of all.
local text_bounds = { depth = 6, entries = 64, string = 1024, total = 32768 }
local trace_bounds = { depth = 3, entries = 16, string = 256, total = 1024 }
local data_bounds = { depth = 32, entries = 10000, total = 1 << 20 }
-- Keys that are looked at for sorting; a table may have millions.
local sorted_keys = 1000

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function escaped(char) return escapes[char] or format("\\x%02x", byte(char)) end

local function quoted(text, bounds)
  local more = #text - bounds.string
  if more > 0 then text = sub(text, 1, bounds.string) end
  text = gsub(text, '[%c"\\]', escaped)
  -- Cut in the middle of a character, or no text at all.
  if not utf8_len(text) then text = gsub(text, "[\x80-\xff]", escaped) end
  return '"' .. text .. '"' .. (more > 0 and format("… (%d more bytes)", more) or "")
end

-- A value of somebody's own kind is what it says it is; what it says may fail, or wait, which it cannot here.
local function named(value)
  local ok, text = unyielding(tostring, value)
  text = ok and type(text) == "string" and text or format("<%s whose __tostring fails>", type(value))
  if not utf8_len(text) then text = gsub(text, "[\x80-\xff]", escaped) end
  return (gsub(sub(text, 1, 200), "%c", escaped))
end

local function is_opaque(value)
  local meta = getmetatable(value)
  return meta ~= nil and (type(meta) ~= "table" or rawget(meta, "__tostring") ~= nil or rawget(meta, "__name") ~= nil)
end

-- Numbers, then texts, then the rest.
local function precedes(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then
    if kind_a == "number" or kind_b == "number" then return kind_a == "number" end
    if kind_a == "string" or kind_b == "string" then return kind_a == "string" end
    return kind_a < kind_b
  end
  if kind_a == "number" or kind_a == "string" then return a < b end
  return named(a) < named(b)
end

-- The keys beside 1…length, as far as they are looked at, sorted; and whether there are more.
local function keys_of(value, length)
  local keys, key = {}, next(value)
  while key ~= nil do
    if not (math_type(key) == "integer" and key >= 1 and key <= length) then
      if #keys == sorted_keys then return keys, true end
      keys[#keys + 1] = key
    end
    key = next(value, key)
  end
  sort(keys, precedes)
  return keys, false
end

local function key_text(key, bounds)
  if type(key) == "string" then
    return match(key, "^[%a_][%w_]*$") and key or "[" .. quoted(key, bounds) .. "]"
  end
  return "[" .. named(key) .. "]"
end

local render

local function render_table(value, state, depth)
  if state.open[value] then return "<the table around it>" end
  if depth >= state.bounds.depth then return next(value) == nil and "{}" or "{…}" end
  state.open[value] = true
  local bounds, parts, length = state.bounds, {}, rawlen(value)
  local keys, has_more = keys_of(value, length)
  local left = bounds.entries
  for i = 1, length do
    if left == 0 or state.left <= 0 then break end
    left = left - 1
    parts[#parts + 1] = render(rawget(value, i), state, depth + 1)
  end
  local shown = #parts
  for _, key in ipairs(keys) do
    if left == 0 or state.left <= 0 then break end
    left, shown = left - 1, shown + 1
    parts[#parts + 1] = key_text(key, bounds) .. " = " .. render(rawget(value, key), state, depth + 1)
  end
  state.open[value] = nil
  local rest = length + #keys - shown
  if rest > 0 or has_more then parts[#parts + 1] = format("… (%s%d more)", has_more and "over " or "", rest) end
  if #parts == 0 then return "{}" end
  local line = concat(parts, ", ")
  if #line <= 72 and not find(line, "\n", 1, true) then return "{ " .. line .. " }" end
  local indent = rep("  ", depth + 1)
  return "{\n" .. indent .. concat(parts, ",\n" .. indent) .. ",\n" .. rep("  ", depth) .. "}"
end

function render(value, state, depth)
  if state.left <= 0 then return "…" end
  local kind = type(value)
  if kind == "table" and not is_opaque(value) then return render_table(value, state, depth) end
  local text = kind == "string" and quoted(value, state.bounds) or named(value)
  state.left = state.left - #text
  return text
end

local function describe(value, bounds)
  return render(value, { bounds = bounds, left = bounds.total, open = {} }, 0)
end

-- A copy in plain data: what is not plain, or too deep, becomes its text.
local function plain(value, state, depth)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" or kind == "number" then return value end
  state.left = state.left - (kind == "string" and #value or 16)
  if state.left < 0 then return "…" end
  if kind == "string" then return value end
  if kind ~= "table" or is_opaque(value) then return named(value) end
  if state.open[value] or depth >= data_bounds.depth then return "…" end
  state.open[value] = true
  local copy, count = {}, 0
  for key, field in next, value do
    count = count + 1
    if count > data_bounds.entries then break end
    local kind_of_key = type(key)
    if kind_of_key ~= "string" and kind_of_key ~= "number" and kind_of_key ~= "boolean" then key = named(key) end
    copy[key] = plain(field, state, depth + 1)
  end
  state.open[value] = nil
  return copy
end

local function shown(form, ...)
  local values = pack(...)
  for i = 1, values.n do
    if form == "data" then values[i] = plain(values[i], { left = data_bounds.total, open = {} }, 0)
    else values[i] = describe(values[i], text_bounds) end
  end
  return unpack(values, 1, values.n)
end

function M.evaluate(chunk, form)
  return shown(form, chunk(host.handle)())
end

-- What can be read of the node without asking it anything.
local node_fields = { state = true, args = true, name = true, id = true }

local function step(value, key)
  if rawequal(value, host.handle) then return node_fields[key] and value[key] or nil end
  if type(value) == "table" then return rawget(value, key) end
  if type(value) == "string" then return nil end
end

function M.fields(path)
  local value
  for name in path:gmatch("[^.]+") do
    if value == nil then
      value = name == "node" and host.handle or rawget(globals, name)
    else
      value = step(value, name)
    end
    if value == nil then return {}, nil end
  end
  if path == "" then value = globals end
  local names = {}
  if rawequal(value, host.handle) then return names, "node" end
  if type(value) ~= "table" then return names, nil end
  if conns.is_conn(value) then names[1] = "state" return names, "conn" end
  for key in next, value do
    if type(key) == "string" and match(key, "^[%a_][%w_]*$") then names[#names + 1] = key end
    if #names == sorted_keys then break end
  end
  sort(names)
  return names, "table"
end

-- A traced connection has a binding of its own in the place of its codec's, so that no other one pays for the question
-- whether it is traced.

local function pass(message) return message end

function M.trace(conn, id)
  local original = conn[2]
  if not original then error("the connection has no codec yet: it is in its handshake", 0) end
  original = original.untraced or original
  local pull, encode = original.pull, original.encode or pass
  local function seen(direction, message)
    if wanted(id) then note(id, direction, describe(message, trace_bounds)) end
  end
  local binding = setmetatable({ untraced = original, decode = false, refuse = false, direct = false }, { __index = original })
  function binding.pull(from)
    local found, message = pull(from)
    if found then seen("received", message) end
    return found, message
  end
  function binding.encode(message)
    local bytes = encode(message)
    seen("sent", message)
    return bytes
  end
  binding.loop = original.loop and lib.dispatch.loop(binding.pull, host.script.process_message)
  conns.bind(conn, binding)
  set_binding(conn, binding.loop or nil, false)
  -- A broadcast has to look at every connection now.
  host.is_traced = true
end

function M.untrace(conn)
  local binding = conn[2] and conn[2].untraced
  if not binding then return end
  conns.bind(conn, binding)
  set_binding(conn, binding.loop, binding.direct, binding.decode, binding.refuse)
end

function M.untraced() host.is_traced = nil end

return M
