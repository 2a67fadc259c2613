-- `moonpeer.codec`: how messages stand in the stream of bytes, in both directions.
local host = ...
local base, native = host.lib.codec_base, host.lib.codec_native
local composed, records = host.lib.codec_composed, host.lib.codec_records

return {
  bytes = native.bytes,
  lines = native.lines,
  length_prefixed = native.length_prefixed,
  fixed = native.fixed,
  packed = records.packed,
  struct = records.struct,
  union = host.lib.codec_union.union,
  map = composed.map,
  framed = composed.framed,
  custom = composed.custom,
  invalid = base.invalid,
  is_codec = base.is_codec,
}
