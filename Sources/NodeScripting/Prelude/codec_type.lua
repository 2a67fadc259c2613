-- What makes a table a codec. By itself, since it must stay the same while the rest of codec_base.lua comes and goes.
return { meta = { __name = "codec", __plain = false } }
