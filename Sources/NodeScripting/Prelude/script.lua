-- What a script may return, looked at before anything of it runs: every problem at once, not the first only.
local host = ...
local check, codec = host.check, host.lib.codec

local FUNCTION, TABLE = "function", "table"
local keys = {
  name = "string", version = "integer", config = TABLE, args = TABLE, init = FUNCTION, codec = "codec",
  handshake = FUNCTION, on_connect = FUNCTION, process_message = FUNCTION, session = FUNCTION,
  on_disconnect = FUNCTION, timers = TABLE, calls = TABLE, on_shutdown = FUNCTION,
}
local planned = { save = true, restore = true, save_connection = true, restore_connection = true }

local M = { keys = keys }

local function fits(kind, value)
  if kind == FUNCTION then return check.is_callable(value) end
  if kind == "integer" then return math.type(value) == "integer" end
  if kind == "codec" then return codec.is_codec(value) or type(value) == "function" end
  return type(value) == kind
end

local function got(value) return type(value) == "string" and ("%q"):format(value) or type(value) end

-- validate(value) → list of problems, each { key it is about, text }
function M.validate(script)
  local problems = {}
  local function problem(key, text, ...) problems[#problems + 1] = { key, text:format(...) } end
  if type(script) ~= "table" then
    problem("return", "a script returns a table of hooks, got %s (is the return at its end missing?)", type(script))
    return problems
  end
  local names = check.sorted_keys(keys)
  for _, key in ipairs(check.sorted_keys(script)) do
    local kind = keys[key]
    if planned[key] then
      problem(key, "%s: reloading is not in this version yet; leave the key out", key)
    elseif not kind then
      local near = host.text.nearest(key, names)
      problem(key, 'there is no key "%s"%s', key, near and ('; did you mean "%s"?'):format(near)
        or "; the keys are " .. table.concat(names, ", "))
    elseif not fits(kind, script[key]) then
      problem(key, "%s must be a %s, got %s", key, kind == "codec" and "codec or a function(node, conn) that returns one"
        or kind, got(script[key]))
    end
  end
  if script.session and script.process_message then
    problem("session", "session and process_message exclude each other: a connection is either a conversation or messages")
  end
  for _, name in ipairs(check.sorted_keys(type(script.calls) == TABLE and script.calls or {})) do
    if not check.is_callable(script.calls[name]) then
      problem(name, "calls.%s must be a function, got %s", name, got(script.calls[name]))
    end
  end
  for _, name in ipairs(check.sorted_keys(type(script.timers) == TABLE and script.timers or {})) do
    local entry = script.timers[name]
    if type(entry) ~= TABLE or not check.is_callable(entry.run) or entry.every == nil then
      problem(name, "timers.%s must be { every = duration, run = function(node) … end }", name)
    else
      for _, key in ipairs(check.sorted_keys(entry)) do
        if key ~= "every" and key ~= "run" and key ~= "jitter" then
          problem(name, 'timers.%s: there is no option "%s"%s', name, key, check.hint(key, { "every", "jitter", "run" }))
        end
      end
      for _, key in ipairs { "every", "jitter" } do
        if entry[key] ~= nil then
          local ok, message = pcall(host.text.duration, entry[key], "timers." .. name .. "." .. key)
          if not ok then problem(name, "%s", type(message) == TABLE and message.message or message) end
        end
      end
    end
  end
  return problems
end

-- outline(script) → the plain part of what it declares
function M.outline(script)
  return { name = script.name, version = script.version, codec = script.codec and type(script.codec),
    calls = check.sorted_keys(script.calls or {}), timers = check.sorted_keys(script.timers or {}) }
end

local types = { string = true, number = true, integer = true, boolean = true, duration = true, size = true,
  address = true, table = true }

-- describe(args) → a list of { name, type, default, help }, and a list of problems
function M.describe(args)
  local list, problems = {}, {}
  for _, name in ipairs(check.sorted_keys(args or {})) do
    local declared = args[name]
    local entry = { name = name }
    if type(declared) == TABLE and (declared.default ~= nil or declared.type ~= nil or declared.help ~= nil) then
      entry.default, entry.type, entry.help = declared.default, declared.type, declared.help
      for _, key in ipairs(check.sorted_keys(declared)) do
        if key ~= "default" and key ~= "type" and key ~= "help" then
          problems[#problems + 1] = { name, ('args.%s: there is no option "%s"%s'):format(name, key,
            check.hint(key, { "default", "type", "help" })) }
        end
      end
    else
      entry.default = declared
    end
    if entry.type == nil then
      entry.type = math.type(entry.default) == "integer" and "integer" or type(entry.default)
    end
    if not types[entry.type] then
      problems[#problems + 1] = { name, ('args.%s: the type is string, number, integer, boolean, duration, size, address or '
        .. 'table, got %s'):format(name, tostring(entry.type)) }
    end
    list[#list + 1] = entry
  end
  return list, problems
end

local function converted(entry, value)
  local what = ("argument %s"):format(entry.name)
  local function refuse() error(("%s: a %s is expected, got %s"):format(what, entry.type, got(value)), 0) end
  local kind = entry.type
  if kind == "duration" then return host.text.duration(tonumber(value) or value, what) end
  if kind == "size" then return host.text.size(tonumber(value) or value, what) end
  if type(value) == "string" then
    if kind == "integer" then value = math.tointeger(tonumber(value)) or refuse() end
    if kind == "number" then value = tonumber(value) or refuse() end
    if kind == "boolean" then
      if value ~= "true" and value ~= "false" then refuse() end
      value = value == "true"
    end
    if kind == "table" then refuse() end
    return value
  end
  if kind == "integer" then return math.tointeger(value) or refuse() end
  if kind == "address" then kind = "string" end
  if type(value) ~= kind then refuse() end
  return value
end

-- arguments(declared, given) → every declared argument with its value
function M.arguments(declared, given)
  local list = M.describe(declared)
  local names, result = {}, {}
  for _, entry in ipairs(list) do
    names[#names + 1] = entry.name
    if given[entry.name] ~= nil then
      result[entry.name] = converted(entry, given[entry.name])
    elseif entry.default ~= nil then
      result[entry.name] = entry.type == "duration" and host.text.duration(entry.default, entry.name)
        or entry.type == "size" and host.text.size(entry.default, entry.name) or entry.default
    end
  end
  for _, name in ipairs(check.sorted_keys(given)) do
    local known = false
    for _, entry in ipairs(list) do known = known or entry.name == name end
    if not known then
      error(("there is no argument %q%s"):format(name, #names > 0 and check.hint(name, names)
        or ": the script declares none (key args)"), 0)
    end
  end
  return result
end

return M
