extension LuaAPI {
  private static let codec = [["moonpeer.Codec"]]
  private static func max(_ what: String, default text: String = "\"1MiB\"") -> APIValue {
    option(
      "max", "moonpeer.Size", default: text, "The longest \(what); a longer one breaks the connection. 1 byte to 1024GiB.")
  }
  private static let endian = option("endian", "\"big\"|\"little\"", default: "\"big\"", "The byte order.")

  package static let codecModule = APIModule(
    name: "moonpeer.codec",
    doc:
      """
      How messages stand in the stream, both ways. A peer whose bytes are no message loses its connection with \
      reason `decode`. `packed`, `struct`, `union`, `fixed` and `length_prefixed` (but `varint`) can stand inside \
      `union` and as the second argument of `map`.
      """,
    functions: [
      function(
        "bytes", [options([max("chunk")])], returns: codec, "Chunks as they come; where one ends means nothing."),
      function(
        "lines",
        [
          options([
            option("delimiter", "string", default: "\"\\n\"", "What ends a message; not part of it. At least 1 byte."),
            max("message"),
          ])
        ],
        returns: codec, "Text up to a delimiter."),
      function(
        "length_prefixed",
        [
          options([
            option(
              "width", "1|2|3|4|8|\"varint\"", default: "4",
              "Bytes of the length; `varint` is LEB128, seven bits a byte, low ones first."),
            endian, max("message without its length", default: "\"1MiB\", or what the width can say"),
            option(
              "length_includes_header", "boolean", default: "false",
              "Whether the length counts its own bytes; not with `varint`."),
          ])
        ], returns: codec, "A length, then so many bytes."),
      function(
        "fixed", [argument("size", "integer", "bytes of every message, at least 1")], returns: codec,
        "Every message is n bytes."),
      function(
        "packed",
        [
          argument("format", "string", "as for `string.pack`, big-endian unless it says otherwise"),
          options([max("record")]),
        ],
        returns: codec, "One record per message: the value where the format has one, else a list of its values."),
      function(
        "struct",
        [required("fields", [endian, max("record")], element: "{ [1]: string, [2]: string }")], returns: codec,
        """
        A record with names: a list of `{ \"name\", \"type\" }`; the message is a table. Types: `u8` `u16` `u32` \
        `u64`, `int8` `int16` `int32` `int64`, `f32` `f64`, `bool`, or one `string.pack` option such as `\"s2\"`.
        """
      ),
      function(
        "union",
        [
          required(
            "variants",
            [
              option("tag", "\"u8\"|\"u16\"|\"u32\"", default: "\"u8\"", "The tag's width."), endian,
              max("message with its tag"),
            ],
            element: "{ [1]: integer, [2]: string, [3]: moonpeer.Codec? }")
        ], returns: codec,
        """
        Several kinds of message: a list of `{ tag, \"name\", codec }`. A message has its `type`; a struct's fields \
        stand beside it, what another codec carries is its `value`, and a variant without codec has neither.
        """
      ),
      function(
        "map",
        [
          argument("inner", "moonpeer.Codec", "what frames"),
          required(
            "outer",
            [
              option(
                "decode", "fun(message: any): any", default: "none",
                "What comes out of `inner` goes through it; must not give nil."),
              option(
                "encode", "fun(message: any): any", default: "none",
                "What is sent goes through it first; gives what `inner` takes."),
            ]),
        ], returns: codec, overloads: ["fun(inner: moonpeer.Codec, outer: moonpeer.Codec): moonpeer.Codec"],
        """
        Another codec's messages, made into something else: by functions (at least one), or by a codec that reads \
        each of them whole.
        """
      ),
      function(
        "framed",
        [
          required(
            "options",
            [
              field("header", "integer", "Bytes that `size` looks at, at least 1."),
              field("size", "fun(head: string): integer", "The bytes of the whole frame, its header included."),
              option(
                "decode", "fun(frame: string): any", default: "the frame", "The message in a frame; must not give nil."),
              option("encode", "fun(message: any): string", default: "the message", "The whole frame of a message."),
              max("frame with its header"),
            ])
        ], returns: codec, "The script says how long the frame is that starts here; the engine cuts it."),
      function(
        "custom",
        [
          required(
            "options",
            [
              field(
                "decode", "fun(view: moonpeer.View): any, integer?",
                """
                `nil`: more is needed; `nil, n`: n bytes in all are needed; `message, n`: a message that took n \
                bytes, 1 or more.
                """
              ),
              option("encode", "fun(message: any): string", default: "the message", "The bytes of a message."),
              max("message as it stands in the bytes"),
            ])
        ], returns: codec, "Full control over what has arrived."),
      function(
        "invalid", [optional("message", "string", default: "\"invalid message\"")],
        "In a decoder: raises an error of kind `decode`, which breaks the connection."),
      function("is_codec", [argument("value", "any")], returns: [["boolean"]], "Whether it is a codec."),
    ])

  package static let codecType = APIClass(
    name: "codec", type: "moonpeer.Codec", doc: "How messages stand in the bytes; made by `moonpeer.codec`.")

  private static func number(_ name: String, _ what: String, _ type: String) -> APIFunction {
    function(name, [argument("at", "integer", "from 1")], returns: [["value: \(type)"], ["nil"]], what)
  }

  private static let integers: [APIFunction] = [("u", "unsigned"), ("i", "signed")].flatMap { letter, word in
    [8, 16, 32, 64].flatMap { bits in
      let exact = letter == "u" && bits == 64 ? ", in Lua's signed integers" : ""
      let big = number("\(letter)\(bits)", "\(bits) bits, \(word)\(bits > 8 ? ", big-endian" : "")\(exact).", "integer")
      return bits == 8
        ? [big] : [big, number("\(letter)\(bits)le", "\(bits) bits, \(word), little-endian\(exact).", "integer")]
    }
  }

  package static let view = APIClass(
    name: "view", type: "moonpeer.View",
    doc:
      """
      What a `codec.custom` decoder looks through: all that has arrived, in place, and valid during that call only. \
      Positions count from 1; a position below 1 is an error; what reaches past the end is nil, so that asking and \
      checking are one. `#view` is how many bytes there are.
      """,
    methods: integers + [
      number("f32", "A 32-bit float, big-endian.", "number"),
      number("f32le", "A 32-bit float, little-endian.", "number"),
      number("f64", "A 64-bit float, big-endian.", "number"),
      number("f64le", "A 64-bit float, little-endian.", "number"),
      function(
        "bytes", [argument("at", "integer", "from 1"), argument("count", "integer", "0 or more")],
        returns: [["bytes: string"], ["nil"]],
        "So many bytes as a string."),
      function(
        "find", [argument("text", "string"), optional("from", "integer", default: "1")],
        returns: [["at: integer"], ["nil"]],
        "Where those bytes start; plain text, no pattern."),
      function("starts_with", [argument("text", "string")], returns: [["boolean"]], "Whether those bytes come first."),
    ], operators: ["len: integer"])

  static let codecExample = """
    -- shapes.lua
    local codec = require "moonpeer.codec"
    local json = require "moonpeer.json"

    -- A number of two bytes, then so many bytes of JSON.
    local documents = codec.map(codec.length_prefixed { width = 2 }, { decode = json.decode, encode = json.encode })

    -- A tag, then what belongs to it: { type = "move", x = 1, y = 2 }, { type = "say", value = "hi" }, { type = "bye" }.
    local moves = codec.union {
      { 1, "move", codec.struct { { "x", "u16" }, { "y", "u16" } } },
      { 2, "say", codec.length_prefixed { width = 1 } },
      { 3, "bye" },
    }

    return {
      args = { documents = false },
      codec = function(node) return node.args.documents and documents or moves end,
      process_message = function(_, conn, message) conn:send(message) end,
    }
    """

  static let viewExample = """
    -- netstring.lua
    local codec = require "moonpeer.codec"

    return {
      codec = codec.custom {
        max = "64KiB",
        decode = function(view)
          local colon = view:find(":")
          if not colon then return nil end
          local count = math.tointeger(tonumber(view:bytes(1, colon - 1)))
          if not count or count < 0 then codec.invalid("a length expected before the colon") end
          local total = colon + count + 1
          if #view < total then return nil, total end
          return view:bytes(colon + 1, count), total
        end,
        encode = function(message) return #message .. ":" .. message .. "," end,
      },
      process_message = function(_, conn, message) conn:send(message) end,
    }
    """
}
