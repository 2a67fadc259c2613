-- Where the makers of codecs stand: each is loaded with its chunk when it is first used.
--
-- find(codec, key) → the maker of that name      pairs(codec) → what pairs must return, all of them
-- codec is the table of `moonpeer.codec`, to which a script may have added names.
local host = ...
local lib = host.lib
local error, find, pairs, rawget, rawset, next = error, string.find, pairs, rawget, rawset, next
local gmatch, tostring = string.gmatch, tostring

local homes = {
  codec_base = " invalid is_codec ",
  codec_native = " bytes fixed length_prefixed lines ",
  codec_composed = " custom framed map ",
  codec_records = " packed struct ",
  codec_union = " union ",
}

local M = {}

local function load_all(codec)
  for home, names in pairs(homes) do
    for name in gmatch(names, "%S+") do
      if rawget(codec, name) == nil then rawset(codec, name, lib[home][name]) end
    end
  end
  return codec
end

function M.find(codec, key)
  for home, names in pairs(homes) do
    if find(names, " " .. tostring(key) .. " ", 1, true) then return lib[home][key] end
  end
  error(lib.text.no_name("moonpeer.codec", load_all(codec), key), 2)
end

function M.pairs(codec) return next, load_all(codec) end

return M
