import FuzzSupport
import LuaHost

/// Values on their way to Swift and back: calls, state, captures of errors.
enum ValueTarget {
  static func target() throws -> FuzzTarget {
    let machine = try Machine()
    let check = try machine.vm.callNowRef(machine.vm.load(MadeValues.script + script, chunkName: "@value.lua"))
    return FuzzTarget("value", count: 3000, seeds: MadeValues.seeds) { input in
      try machine.vm.callNow(check) { pack in input.withUnsafeBytes { pack.bytes($0) } }.first?.text
    }
  }

  private static let script = """
    local function same(a, b)
      if type(a) ~= "table" or type(b) ~= "table" then return rawequal(a, b) and math.type(a) == math.type(b) or a ~= a and b ~= b end
      for key, value in next, a do if type(key) ~= "table" and not same(value, rawget(b, key)) then return false end end
      for key in next, b do if type(key) ~= "table" and rawget(a, key) == nil then return false end end
      return true
    end
    return function(bytes)
      local value = make(bytes)
      local ok, back = pcall(echo, value)
      if not ok then
        local words = tostring(back)
        for _, reason in ipairs { "plain data", "contains itself", "nested too deep", "too large" } do
          if words:find(reason, 1, true) then return nil end
        end
        return "refused with: " .. words
      end
      if not same(value, back) then return "it came back as another" end
    end
    """
}
