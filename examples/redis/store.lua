-- Keys and their values, some with a time to live.
local Store = {}
Store.__index = Store

-- new(now): `now` is the clock, a function → seconds
function Store.new(now)
  return setmetatable({ now = now, values = {}, expiries = {}, size = 0 }, Store)
end

function Store:get(key)
  local expiry = self.expiries[key]
  -- Whoever looks sees that it is over, no matter when the next sweep comes.
  if expiry and expiry <= self.now() then self:remove(key) end
  return self.values[key]
end

-- set(key, value, expiry?): `expiry` is a moment of the clock; without one the key stays.
function Store:set(key, value, expiry)
  if self.values[key] == nil then self.size = self.size + 1 end
  self.values[key], self.expiries[key] = value, expiry
end

-- remove(key) → whether it was there
function Store:remove(key)
  if self.values[key] == nil then return false end
  self.values[key], self.expiries[key] = nil, nil
  self.size = self.size - 1
  return true
end

-- The moment a key ends; nil: it stays.
function Store:expiry(key) return self.expiries[key] end

-- Removes what nobody has looked at since its time was over.
function Store:sweep()
  local now = self.now()
  for key, expiry in pairs(self.expiries) do
    if expiry <= now then self:remove(key) end
  end
end

return Store
