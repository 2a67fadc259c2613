-- Structured errors: { kind, message, peer, … } that print as their message.
local M = {}

local meta = {
  __name = "error",
  __tostring = function(self)
    local text = tostring(self.message or self.kind or "error")
    if self.peer then text = ("%s (peer %s)"):format(text, tostring(self.peer)) end
    return text
  end,
}

function M.new(kind, message, fields)
  local value = { kind = kind, message = message }
  for key, field in pairs(fields or {}) do value[key] = field end
  return setmetatable(value, meta)
end

return M
