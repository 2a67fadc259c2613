-- What a script returns, checked: every mistake at once, each with its key and, where there is one, the nearest name.
--
-- prepare(value) → prepared, problems
--   prepared: the script's table with `args` as declarations (args.lua), `timers` as a list in order of name
--     { name, every, jitter, run }, `calls` and `config` never nil, and `hooks`, the names of those it has; nil without
--     a table
--   problems: { { key = "timers.tick.every", message =, suggestion = name or nil } … }
-- The keys of `config` are Swift's to check.
local host = ...
local text, base, args = host.lib.text, host.lib.codec_base, host.lib.args
local ipairs, math_type, pcall, tostring, type = ipairs, math.type, pcall, tostring, type
local format = string.format

local M = {}

-- Every key a script may have, in the order of the documentation.
M.keys = {
  { name = "name", type = "string" }, { name = "version", type = "integer" },
  { name = "config", type = "table" }, { name = "args", type = "table" },
  { name = "init", type = "function", hook = true }, { name = "codec", type = "codec" },
  { name = "handshake", type = "function", hook = true }, { name = "on_connect", type = "function", hook = true },
  { name = "process_message", type = "function", hook = true }, { name = "session", type = "function", hook = true },
  { name = "on_disconnect", type = "function", hook = true }, { name = "timers", type = "table" },
  { name = "calls", type = "table" }, { name = "save", type = "function", hook = true },
  { name = "restore", type = "function", hook = true }, { name = "save_connection", type = "function", hook = true },
  { name = "restore_connection", type = "function", hook = true }, { name = "on_shutdown", type = "function", hook = true },
}

local names, known = {}, {}
for i, key in ipairs(M.keys) do names[i], known[key.name] = key.name, true end

local article = { integer = "an integer" }

local function is_a(value, kind)
  return type(value) == kind or kind == "integer" and math_type(value) == "integer"
end

-- codec = codec.lines, without its call, is a function too.
local function constructor_name(value)
  for _, name in ipairs(text.sorted_keys(host.lib.codec)) do
    if host.lib.codec[name] == value then return name end
  end
end

local function check_codec(value, add)
  if base.is_codec(value) then return end
  if type(value) ~= "function" then
    return add("codec", "must be a codec or a function that returns one, got " .. text.got(value)
      .. "; make one with require \"moonpeer.codec\"")
  end
  local name = constructor_name(value)
  if name then add("codec", format("is the maker of a codec: call it, codec.%s(…)", name)) end
end

local timer_keys = { "every", "jitter", "run" }

local function check_timer(name, entry, add)
  local where = "timers." .. name
  if type(entry) ~= "table" then
    return add(where, "must be a table { every =, run = function(node) … end }, got " .. text.got(entry))
  end
  for _, key in ipairs(text.sorted_keys(entry)) do
    if key ~= "every" and key ~= "jitter" and key ~= "run" then
      local hint, nearest = text.hint(key, timer_keys)
      add(where, format("unknown key %s%s", text.got(key), hint), nearest)
    end
  end
  local made = { name = name, jitter = 0, run = entry.run }
  if type(entry.run) ~= "function" then add(where .. ".run", "must be a function, got " .. text.got(entry.run)) end
  for _, key in ipairs { "every", "jitter" } do
    local value = entry[key]
    if value ~= nil then
      local what = where .. "." .. key
      local ok, seconds = pcall(host.text.duration, value, what)
      if ok then made[key] = seconds
      else add(what, text.words(seconds, what):sub(#what + 3)) end
      if ok and key == "every" and seconds <= 0 then add(where .. ".every", "must be more than 0") end
    elseif key == "every" then
      add(where .. ".every", "is missing: how often it runs, as in every = \"5s\"")
    end
  end
  return made
end

local function check_timers(timers, add)
  local list = {}
  for _, name in ipairs(text.sorted_keys(timers)) do
    if type(name) == "string" then list[#list + 1] = check_timer(name, timers[name], add)
    else add("timers", "every timer needs a name: name = { every =, run = }") end
  end
  return list
end

local function check_calls(calls, add)
  for _, name in ipairs(text.sorted_keys(calls)) do
    if type(name) ~= "string" then
      add("calls", "every call needs a name: name = function(node, …) … end")
    elseif type(calls[name]) ~= "function" then
      add("calls." .. name, "must be a function, got " .. text.got(calls[name]))
    end
  end
end

local function check_types(script, prepared, add)
  for _, key in ipairs(M.keys) do
    local name, value = key.name, script[key.name]
    if value == nil then
      prepared[name] = nil
    elseif name == "codec" then
      check_codec(value, add)
      prepared.codec = value
    elseif not is_a(value, key.type) then
      add(name, format("must be %s, got %s", article[key.type] or "a " .. key.type, text.got(value)))
    else
      prepared[name] = value
      if key.hook then prepared.hooks[#prepared.hooks + 1] = name end
    end
  end
end

local plain = { string = true, number = true, boolean = true, table = true }

-- Only that the values can be handed over; what each key takes is Swift's to say.
local function check_config(config, add)
  local made = {}
  for _, key in ipairs(text.sorted_keys(config)) do
    if plain[type(config[key])] then made[key] = config[key]
    else add("config." .. tostring(key), "must be a text, a number, true, false or a list, got " .. text.got(config[key])) end
  end
  return made
end

function M.prepare(script)
  local problems = {}
  local function add(key, message, suggestion)
    problems[#problems + 1] = { key = key, message = message, suggestion = suggestion }
  end
  if type(script) ~= "table" then
    local hint = script == nil and "; does it end in return { … }?" or ""
    add("", "a script must return a table of hooks and settings, got " .. text.got(script) .. hint)
    return nil, problems
  end
  for _, key in ipairs(text.sorted_keys(script)) do
    if not known[key] then
      local hint, nearest = text.hint(key, names)
      if not nearest then hint = "; the keys are " .. table.concat(names, ", ") end
      add(type(key) == "string" and key or text.got(key), "unknown key" .. hint, nearest)
    end
  end
  local prepared = { hooks = {} }
  check_types(script, prepared, add)
  if script.session ~= nil and script.process_message ~= nil then
    add("session", "excludes process_message: a script has one or the other")
  end
  if prepared.args == nil then
    prepared.args = {}
  else
    local wrong
    prepared.args, wrong = args.declare(prepared.args)
    for _, problem in ipairs(wrong) do problems[#problems + 1] = problem end
  end
  prepared.timers = check_timers(prepared.timers or {}, add)
  prepared.calls = prepared.calls or {}
  prepared.config = check_config(prepared.config or {}, add)
  check_calls(prepared.calls, add)
  return prepared, problems
end

return M
