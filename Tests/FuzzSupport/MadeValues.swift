/// Values of Lua that bytes say how to make: of every type, nested, shared, in circles, with metatables.
public enum MadeValues {
  /// Source of `local function make(bytes)` → a value.
  public static let script = #"""
    local function make(bytes)
      local at, all = 1, {}
      local function next_byte()
        local byte = bytes:byte(at) or 0
        at = at + 1
        return byte
      end
      local function take(count)
        local text = bytes:sub(at, at + count - 1)
        at = at + count
        return text .. ("\0"):rep(count - #text)
      end
      local keys = { "type", "value", "id", "x", "flag", "name", "note", 1, 2, 3, 4, "a", "b" }
      local kinds = { "ping", "data", "bye", "record", "struct", "inner", "two", "three", "abc", "line 7", "é" }
      local one
      local function nested(depth)
        local t = {}
        all[#all + 1] = t
        for _ = 1, next_byte() % 8 do
          local key = keys[next_byte() % 16 + 1]
          if key == nil then key = one(depth + 1) end
          if key ~= nil and key == key then t[key] = one(depth + 1) end
        end
        return t
      end
      local makers = {
        [0] = function() end, function() return true end, function() return false end, function() return next_byte() end,
        function() return (string.unpack("<i8", take(8))) end, function() return (string.unpack("<d", take(8))) end,
        function() return take(next_byte() % 40) end, function() return kinds[next_byte() % #kinds + 1] end, nested, nested, nested,
        function() return #all > 0 and all[next_byte() % #all + 1] or 0 / 0 end,
        function() return ({ math.huge, -math.huge, 0 / 0, -0.0, 1e15, 2^53, math.maxinteger, math.mininteger })[next_byte() % 8 + 1] end,
        function() return ({ print, coroutine.create(print), function() end })[next_byte() % 3 + 1] end,
        function(depth)
          return setmetatable(nested(depth), { __index = function() error "asked" end, __len = function() return 1 << 40 end,
            __pairs = function() error "walked" end, __tostring = function() error "shown" end, __name = 5 })
        end,
        function(depth)
          local t = {}
          for i = 1, next_byte() do t = { t } end
          return t
        end,
      }
      function one(depth)
        if depth > 30 or at > #bytes + 8 then return next_byte() end
        return makers[next_byte() % 16](depth)
      end
      return one(0)
    end

    """#

  public static let seeds: [[UInt8]] = [
    [0], [1], [3, 7], [4, 1, 2, 3, 4, 5, 6, 7, 128], [5, 0, 0, 0, 0, 0, 0, 248, 127], [6, 3, 97, 98, 99], [7, 0],
    [8, 3, 2, 4, 1, 2, 3, 4, 0, 0, 0, 0, 3, 3, 5, 0, 7, 0], [8, 2, 0, 7, 1, 1, 6, 3, 97, 98, 99],
    [8, 2, 0, 7, 3, 1, 9, 2, 7, 3, 8, 6, 2, 97, 98],
    [8, 4, 2, 3, 9, 4, 1, 5, 6, 2, 97, 98, 6, 6, 2, 110, 49], [8, 1, 14, 11, 0], [11, 0], [12, 1], [13, 0], [14, 1, 2, 3, 9],
    [15, 200],
    [8, 2, 0, 7, 5, 1, 8, 2, 0, 7, 2], [8, 3, 7, 3, 1, 8, 3, 2, 9, 5, 0, 0, 0, 0, 0, 0, 240, 63], [10, 2, 11, 4, 1, 12, 4, 2],
  ]
}
