-- `moonpeer.json`: strict JSON (RFC 8259) both ways. Integers stay integers, null is `json.null`, arrays are marked so
-- that an empty one stays one. Errors are raised, with kind `json` and the place.
local host = ...
local decoder, encoder, marks = host.lib.json_decode, host.lib.json_encode, host.lib.json_marks

return host.lib.text.module("moonpeer.json", {
  decode = decoder.decode, encode = encoder.encode, null = marks.null, array = marks.array,
})
