import LuaHost

/// Codecs of every kind, with messages for each, and a cutter that does what the engine does.
enum CodecCases {
  static let names = [
    "length_prefixed", "length_prefixed, little, with its header", "length_prefixed, 8 bytes", "fixed", "lines",
    "packed, one fixed value", "packed, several fixed values", "packed, a string", "packed, mixed",
    "packed, two orders", "packed, a long length", "packed, wide numbers",
    "struct, fixed", "struct, variable", "union, fixed", "union, variable", "union in a union", "union in frames",
    "JSON in frames", "numbers in lines", "framed", "custom", "map over custom",
  ]

  /// One look at the bytes, through the view a decoder gets: how many it took.
  static func step(_ harness: PreludeHarness, _ bytes: [UInt8]) throws -> Int {
    let results = try bytes.withUnsafeBytes { buffer in
      harness.vm.setView(buffer)
      defer { harness.vm.clearView() }
      return try harness.call("step") { $0.ref(harness.vm.view) }
    }
    return Int(results[0].int ?? 0)
  }

  /// The cases, and a cutter that does for each kind what the engine does.
  static let lua = #"""
    local codec, json = lib.codec, lib.json
    local random = math.random
    local function bits(n) return random(0, (1 << n) - 1) end
    local function text(most)
      local made = {}
      for i = 1, random(0, most or 9) do made[i] = string.char(random(0, 255)) end
      return table.concat(made)
    end
    local fixed_struct = codec.struct { { "id", "u32" }, { "x", "f64" }, endian = "little" }
    local struct = codec.struct { { "id", "u32" }, { "flag", "bool" }, { "name", "s2" }, { "note", "z" } }
    local function a_struct() return { id = bits(32), flag = random() < 0.5, name = text(), note = "n" .. bits(9) } end
    local union = codec.union {
      tag = "u8", { 1, "ping", fixed_struct }, { 2, "data", codec.length_prefixed { width = 2 } }, { 3, "bye" },
      { 9, "record", codec.packed "I2s1" }, { 10, "struct", struct },
    }
    local function a_union()
      local kind = random(5)
      if kind == 1 then return { type = "ping", id = bits(32), x = random() } end
      if kind == 2 then return { type = "data", value = text(40) } end
      if kind == 3 then return { type = "bye" } end
      if kind == 4 then return { type = "record", value = { bits(16), text() } } end
      local made = a_struct()
      made.type = "struct"
      return made
    end
    local framed = codec.framed {
      header = 3, size = function(head) return 3 + string.unpack(">I2", head, 2) end,
      decode = function(frame) return frame:sub(4) end,
      encode = function(message) return string.pack(">BI2", 7, #message) .. message end,
    }
    local custom = codec.custom {
      decode = function(buffer)
        if #buffer < 2 then return nil end
        local n = buffer:u16(1)
        if #buffer < 2 + n then return nil, 2 + n end
        return buffer:bytes(3, n), 2 + n
      end,
      encode = function(message) return string.pack(">s2", message) end,
    }
    local cases = {
      ["length_prefixed"] = { codec.length_prefixed(), text },
      ["length_prefixed, little, with its header"] =
        { codec.length_prefixed { width = 2, endian = "little", length_includes_header = true }, text },
      ["length_prefixed, 8 bytes"] = { codec.length_prefixed { width = 8 }, text },
      ["fixed"] = { codec.fixed(3), function() return string.char(bits(8), bits(8), bits(8)) end },
      ["lines"] = { codec.lines { delimiter = "\r\n" }, function() return "line " .. bits(9) end },
      ["packed, one fixed value"] = { codec.packed "<I4", function() return bits(32) end },
      ["packed, several fixed values"] =
        { codec.packed "I4 i2 d", function() return { bits(32), -bits(15), random() } end },
      ["packed, a string"] = { codec.packed "s2", function() return text(30) end },
      ["packed, mixed"] =
        { codec.packed "I4s2zs1", function() return { bits(32), text(), "z" .. bits(5), text() } end },
      ["packed, a long length"] = { codec.packed "s16 B", function() return { text(30), bits(8) } end },
      ["packed, wide numbers"] = { codec.packed "I16 <i9 z", function() return { bits(30), -bits(20), "z" } end },
      ["packed, two orders"] = { codec.packed "<s2 >s2 I2", function() return { text(30), text(), bits(16) } end },
      ["struct, fixed"] = { fixed_struct, function() return { id = bits(32), x = random() } end },
      ["struct, variable"] = { struct, a_struct },
      ["union, fixed"] = {
        codec.union { tag = "u16", { 1, "ping", fixed_struct }, { 2, "three", codec.fixed(3) }, { 3, "bye" } },
        function()
          local kind = random(3)
          if kind == 1 then return { type = "ping", id = bits(32), x = random() } end
          return kind == 2 and { type = "three", value = "abc" } or { type = "bye" }
        end,
      },
      ["union, variable"] = { union, a_union },
      ["union in a union"] = {
        codec.union { { 1, "inner", union }, { 2, "two", codec.fixed(2) } },
        function()
          return random() < 0.5 and { type = "inner", value = a_union() } or { type = "two", value = "hi" }
        end,
      },
      ["union in frames"] = { codec.map(codec.length_prefixed(), union), a_union },
      ["JSON in frames"] = {
        codec.map(codec.length_prefixed { width = 2 }, { decode = json.decode, encode = json.encode }),
        function() return { a = bits(9), b = { c = "x", d = { true, 1.5, "é" } } } end,
      },
      ["numbers in lines"] =
        { codec.map(codec.lines(), { decode = tonumber, encode = tostring }), function() return bits(30) end },
      ["framed"] = { framed, function() return text(20) end },
      ["custom"] = { custom, function() return text(20) end },
      ["map over custom"] = {
        codec.map(custom, { decode = function(s) return { s = s } end, encode = function(m) return m.s end }),
        function() return { s = text() } end,
      },
    }

    local function same(a, b)
      if type(a) ~= "table" or type(b) ~= "table" then return a == b or (a ~= a and b ~= b) end
      for key, value in pairs(a) do if not same(value, b[key]) then return false end end
      for key in pairs(b) do if a[key] == nil then return false end end
      return true
    end

    local function wire(c, message)
      local bytes = message
      if c.encode then bytes = c.encode(message) end
      if c.kind == "length_prefixed" then
        local layout = (c.endian == "little" and "<I" or ">I") .. c.width
        return string.pack(layout, #bytes + (c.length_includes_header and c.width or 0)) .. bytes
      end
      return c.kind == "lines" and bytes .. c.delimiter or bytes
    end

    local current, sent, received
    function test.seed(seed) math.randomseed(seed) end

    function test.begin(name)
      local case = cases[name]
      current, sent, received = case[1], {}, {}
      local stream = {}
      for i = 1, random(0, 6) do
        sent[i] = case[2]()
        stream[i] = wire(current, sent[i])
      end
      return table.concat(stream)
    end

    -- The bytes of a value that may be no message at all; or nil, and what is wrong with how it was refused.
    function test.encode(name, bytes)
      local c = cases[name][1]
      current, sent, received = c, {}, {}
      if not c.encode then return nil end
      local ok, stream = pcall(wire, c, make(bytes))
      if ok then return stream end
      local words = tostring(stream)
      if #words < 10 then return nil, "refused without a word: " .. words end
    end

    -- For streams that are given, and not made here.
    function test.choose(name) current, sent, received = cases[name][1], {}, {} end
    function test.keep() sent, received = received, {} end
    function test.rewire()
      local stream = {}
      for i = 1, #received do stream[i] = wire(current, received[i]) end
      return table.concat(stream)
    end

    local cut = {}
    function cut.fixed(c, view) if #view >= c.size then return 1, c.size, c.size end end
    function cut.lines(c, view)
      local at = view:find(c.delimiter)
      if at then return 1, at - 1, at - 1 + #c.delimiter end
    end
    function cut.length_prefixed(c, view)
      if #view < c.width then return end
      local n = string.unpack((c.endian == "little" and "<I" or ">I") .. c.width, view:bytes(1, c.width))
      if c.length_includes_header then n = n - c.width end
      assert(n >= 0 and n <= c.max, "a length over the codec's max")
      if #view >= c.width + n then return c.width + 1, n, c.width + n end
    end
    function cut.framed(c, view)
      if #view < c.header then return end
      local n = c.size_of(view:bytes(1, c.header))
      assert(n >= c.header and n <= c.max, "a size over the codec's max")
      if #view >= n then return 1, n, n end
    end

    function test.step(view)
      local c, message, taken = current, nil, nil
      if #view == 0 then return 0 end
      if c.kind == "custom" then
        message, taken = c.decode_view(view)
        if message == nil then
          assert(taken == nil or taken > #view, "asks for what is there")
          return 0
        end
      else
        local at, count, whole = cut[c.kind](c, view)
        if not at then return 0 end
        message, taken = view:bytes(at, count), whole
        if c.decode then message = c.decode(message) end
      end
      received[#received + 1] = message
      return taken
    end

    function test.difference()
      if #sent ~= #received then return ("%d sent, %d received"):format(#sent, #received) end
      for i = 1, #sent do
        if not same(sent[i], received[i]) then return "message " .. i .. " differs" end
      end
    end
    """#
}
