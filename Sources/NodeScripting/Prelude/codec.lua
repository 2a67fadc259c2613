-- `moonpeer.codec`: how messages stand in the stream of bytes, in both directions. Each maker is loaded with the chunk it
-- stands in when it is first used.
local host = ...
local lib = host.lib
local error, find, pairs, rawset, setmetatable = error, string.find, pairs, rawset, setmetatable
local gmatch, next, tostring = string.gmatch, next, tostring

local homes = {
  codec_base = " invalid is_codec ",
  codec_native = " bytes fixed length_prefixed lines ",
  codec_composed = " custom framed map ",
  codec_records = " packed struct ",
  codec_union = " union ",
}

local Module = {}

local function load_all(codec)
  for home, names in pairs(homes) do
    for name in gmatch(names, "%S+") do rawset(codec, name, lib[home][name]) end
  end
  return codec
end

function Module.__index(codec, key)
  for home, names in pairs(homes) do
    if find(names, " " .. tostring(key) .. " ", 1, true) then
      local value = lib[home][key]
      rawset(codec, key, value)
      return value
    end
  end
  error(lib.text.no_name("moonpeer.codec", load_all(codec), key), 2)
end

function Module.__pairs(codec) return next, load_all(codec) end

return setmetatable({}, Module)
