-- Declared arguments: what a script says it takes, and what it is given.
--
-- declare(args) → declarations, problems     a list sorted by name: { name, type, default, help }
-- resolve(declarations, given) → values, problems     text from a command line is converted by the declared type
-- A problem is { key =, message =, suggestion = }.
local host = ...
local text = host.lib.text
local ipairs, type, tostring, pcall, tonumber = ipairs, type, tostring, pcall, tonumber
local format, lower, math_type = string.format, string.lower, math.type

local M = {}

local types = { "string", "integer", "number", "boolean", "duration", "size", "table" }
local is_type = {}
for _, name in ipairs(types) do is_type[name] = true end

local words = { ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false }

local expected = {
  string = "a text", integer = "a whole number", number = "a number", boolean = "true or false",
  duration = "a duration such as 3 or \"250ms\"", size = "a size such as 512 or \"64KiB\"",
  table = "a table (on the command line, JSON)",
}

local convert = {}
function convert.string(value)
  if type(value) == "string" then return value end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
end
function convert.integer(value)
  if type(value) == "string" then value = tonumber(value) end
  return math.tointeger(value)
end
function convert.number(value)
  if type(value) == "string" then value = tonumber(value) end
  return type(value) == "number" and value or nil
end
function convert.boolean(value)
  if type(value) == "string" then return words[lower(value)] end
  if type(value) == "boolean" then return value end
end
function convert.duration(value)
  if tonumber(value) then value = tonumber(value) end
  local ok, seconds = pcall(text.duration, value, "duration", 1)
  return ok and seconds or nil
end
function convert.size(value)
  if tonumber(value) then value = tonumber(value) end
  local ok, bytes = pcall(text.size, value, "size", 1)
  return ok and bytes or nil
end
-- Text from the command line is JSON.
function convert.table(value)
  if type(value) == "string" then
    local ok, decoded = pcall(host.lib.json.decode, value)
    value = ok and decoded or nil
  end
  return type(value) == "table" and value or nil
end

-- value → what the declared type makes of it, or nil
local function converted(kind, value)
  if value == nil then return nil end
  if kind == "integer" and type(value) ~= "number" and type(value) ~= "string" then return nil end
  return convert[kind](value)
end

local option_names = { "default", "type", "help" }

-- A misspelt one counts: it would make a plain table of what was meant as a declaration.
local function is_options(value)
  if type(value) ~= "table" then return false end
  for _, name in ipairs(option_names) do
    if value[name] ~= nil then return true end
  end
  for _, key in ipairs(text.sorted_keys(value)) do
    local _, nearest = text.hint(key, option_names)
    if nearest then return true end
  end
  return false
end

local function declare_one(name, given, add)
  local entry = { name = name }
  if not is_options(given) then
    entry.default, entry.type = given, math_type(given) == "float" and "number" or math_type(given) or type(given)
    if not is_type[entry.type] then
      add(name, format("a default cannot be %s", text.got(given)))
      entry.default, entry.type = nil, "string"
    end
    return entry
  end
  for _, key in ipairs(text.sorted_keys(given)) do
    if key ~= "default" and key ~= "type" and key ~= "help" then
      local hint, nearest = text.hint(key, option_names)
      add(name, format("unknown key %s%s", text.got(key), hint), nearest)
    end
  end
  local default, help, kind = given.default, given.help, given.type
  if help ~= nil and type(help) ~= "string" then add(name, "help must be a string, got " .. text.got(help)) end
  if kind == nil then
    kind = default == nil and "string" or math_type(default) == "float" and "number" or math_type(default)
      or type(default)
  end
  if not is_type[kind] then
    local hint, nearest = text.hint(kind, types)
    add(name, format("unknown type %s%s", text.got(kind), hint), nearest)
    kind = "string"
  elseif default ~= nil then
    local value = converted(kind, default)
    if value == nil then
      add(name, format("the default must be %s, got %s", expected[kind], text.got(default)))
    end
    default = value
  end
  entry.type, entry.default, entry.help = kind, default, help
  return entry
end

function M.declare(args)
  local declarations, problems = {}, {}
  local function add(name, message, suggestion)
    problems[#problems + 1] = { key = "args." .. name, message = message, suggestion = suggestion }
  end
  if args == nil then return declarations, problems end
  if type(args) ~= "table" then
    problems[1] = { key = "args", message = "must be a table of declared arguments, got " .. text.got(args) }
    return declarations, problems
  end
  for _, name in ipairs(text.sorted_keys(args)) do
    if type(name) == "string" then
      declarations[#declarations + 1] = declare_one(name, args[name], add)
    else
      add(tostring(name), "an argument needs a name: name = default")
    end
  end
  return declarations, problems
end

function M.resolve(declarations, given)
  local values, problems, names, by_name = {}, {}, {}, {}
  for i, entry in ipairs(declarations) do
    names[i], by_name[entry.name], values[entry.name] = entry.name, entry, entry.default
  end
  for _, name in ipairs(text.sorted_keys(given or {})) do
    local entry, value = by_name[name], given[name]
    if not entry then
      local hint, nearest = text.hint(name, names)
      if #names == 0 then hint = "; this script declares none (key args)" end
      problems[#problems + 1] = {
        key = tostring(name), message = format("unknown argument %q%s", tostring(name), hint), suggestion = nearest,
      }
    else
      local ready = converted(entry.type, value)
      if ready == nil then
        problems[#problems + 1] = {
          key = name, message = format("argument %q must be %s, got %s", name, expected[entry.type], text.got(value)),
        }
      else
        values[name] = ready
      end
    end
  end
  return values, problems
end

return M
