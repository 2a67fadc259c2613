-- The timers of a script, checked for script.lua.
--
-- check(timers, add) → the list in order of name; add(key, message, suggestion) notes a problem
local host = ...
local text = host.lib.text
local format, sub, ipairs, pcall, type = string.format, string.sub, ipairs, pcall, type

local M = {}

local timer_keys = { "every", "jitter", "run" }

local function check_one(name, entry, add)
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
      else add(what, sub(text.words(seconds, what), #what + 3)) end
      if ok and key == "every" and seconds <= 0 then add(where .. ".every", "must be more than 0") end
    elseif key == "every" then
      add(where .. ".every", "is missing: how often it runs, as in every = \"5s\"")
    end
  end
  return made
end

function M.check(timers, add)
  local list = {}
  for _, name in ipairs(text.sorted_keys(timers)) do
    if type(name) == "string" then list[#list + 1] = check_one(name, timers[name], add)
    else add("timers", "every timer needs a name: name = { every =, run = }") end
  end
  return list
end

return M
