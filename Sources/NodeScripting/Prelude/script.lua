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
local ipairs, math_type, tostring, type = ipairs, math.type, tostring, type
local format = string.format

local M = {}

-- Every key a script may have, in the order of the documentation.
local names = {
  "name", "version", "config", "args", "init", "codec", "handshake", "on_connect", "process_message", "session",
  "on_disconnect", "timers", "calls", "save", "restore", "save_connection", "restore_connection", "on_shutdown",
}
local kinds = {
  name = "string", version = "integer", config = "table", args = "table", init = "hook", codec = "codec",
  handshake = "hook", on_connect = "hook", process_message = "hook", session = "hook", on_disconnect = "hook",
  timers = "table", calls = "table", save = "hook", restore = "hook", save_connection = "hook",
  restore_connection = "hook", on_shutdown = "hook",
}

local article = { integer = "an integer", hook = "a function" }

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
  for _, name in ipairs(names) do
    local kind, value = kinds[name], script[name]
    if value == nil then
      prepared[name] = nil
    elseif kind == "codec" then
      check_codec(value, add)
      prepared.codec = value
    elseif not is_a(value, kind == "hook" and "function" or kind) then
      add(name, format("must be %s, got %s", article[kind] or "a " .. kind, text.got(value)))
    else
      prepared[name] = value
      if kind == "hook" then prepared.hooks[#prepared.hooks + 1] = name end
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
    if not kinds[key] then
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
  prepared.timers = prepared.timers and host.lib.script_timers.check(prepared.timers, add) or {}
  prepared.calls = prepared.calls or {}
  prepared.config = check_config(prepared.config or {}, add)
  check_calls(prepared.calls, add)
  return prepared, problems
end

return M
