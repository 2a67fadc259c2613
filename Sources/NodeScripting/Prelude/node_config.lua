-- node.config: the settings the script may read.
local host = ...
local text = host.lib.text
local error, next, setmetatable, type = error, next, setmetatable, type

-- A table that can be read and walked in a fixed order, and not written.
local function read_only(values)
  local keys = text.sorted_keys(values)
  return setmetatable({}, {
    __name = "node.config", __plain = false,
    __index = function(_, key)
      local value = values[key]
      if value == nil and type(key) == "string" and next(values) ~= nil then
        error(text.format("node.config has no %q%s", key, (text.hint(key, keys))), 2)
      end
      return value
    end,
    __newindex = function(_, key)
      error(text.format("node.config cannot be changed by the script (%s)", text.got(key)), 2)
    end,
    __pairs = function()
      local i = 0
      return function()
        i = i + 1
        if keys[i] ~= nil then return keys[i], values[keys[i]] end
      end
    end,
  })
end

return { make = function() return read_only(host.node.config()) end }
