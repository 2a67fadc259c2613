-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.
-- The sandbox's globals: what a script may name. Run as: luacheck scripts examples
stds.moonpeer = {
  read_globals = {
    _G = {},
    _VERSION = {},
    assert = {},
    collectgarbage = {},
    error = {},
    getmetatable = {},
    ipairs = {},
    load = {},
    next = {},
    pairs = {},
    pcall = {},
    print = {},
    rawequal = {},
    rawget = {},
    rawlen = {},
    rawset = {},
    require = {},
    select = {},
    setmetatable = {},
    tonumber = {},
    tostring = {},
    type = {},
    warn = {},
    xpcall = {},
    coroutine = { fields = {
      close = {}, create = {}, isyieldable = {}, resume = {}, running = {}, status = {}, wrap = {},
      yield = {},
    } },
    debug = { fields = {
      traceback = {},
    } },
    math = { fields = {
      abs = {}, acos = {}, asin = {}, atan = {}, ceil = {}, cos = {}, deg = {}, exp = {}, floor = {},
      fmod = {}, huge = {}, log = {}, max = {}, maxinteger = {}, min = {}, mininteger = {}, modf = {},
      pi = {}, rad = {}, random = {}, randomseed = {}, sin = {}, sqrt = {}, tan = {}, tointeger = {},
      type = {}, ult = {},
    } },
    os = { fields = {
      clock = {}, date = {}, difftime = {}, time = {},
    } },
    string = { fields = {
      byte = {}, char = {}, find = {}, format = {}, gmatch = {}, gsub = {}, len = {}, lower = {},
      match = {}, pack = {}, packsize = {}, rep = {}, reverse = {}, sub = {}, unpack = {}, upper = {},
    } },
    table = { fields = {
      concat = {}, insert = {}, move = {}, pack = {}, remove = {}, sort = {}, unpack = {},
    } },
    utf8 = { fields = {
      char = {}, charpattern = {}, codepoint = {}, codes = {}, len = {}, offset = {},
    } },
  },
}
std = "moonpeer"
max_line_length = 130
-- A hook may leave its arguments unused: they are there for whoever reads it.
ignore = { "212/args", "212/conn", "212/data", "212/from_version", "212/message", "212/node", "212/reason", "212/state" }
exclude_files = { "scripts/types", ".build" }
