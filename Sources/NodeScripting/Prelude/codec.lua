-- `moonpeer.codec`: how messages stand in the stream of bytes, in both directions; see codec_makers.lua.
local host = ...

return setmetatable({}, {
  __index = host.later("codec_makers", "find"), __pairs = host.later("codec_makers", "pairs"),
})
