extension LuaAPI {
  package static let logLevels = ["trace", "debug", "info", "notice", "warning", "error"]

  package static let log = APIModule(
    name: "moonpeer.log",
    doc:
      """
      Lines of the node's log; the node's name and the peer of the connection that is handled are added. `print` \
      writes at level `info`.
      """,
    functions: logLevels.map { level in
      function(
        level,
        [
          argument("message", "any", "shown as text"),
          optional("fields", "table<string, any>", "shown beside it as key=value"),
        ],
        "A line of level \(level).")
    } + [
      function(
        "enabled", [argument("level", logLevels.map { "\"\($0)\"" }.joined(separator: "|"))], returns: [["boolean"]],
        "Whether such a line would be written, for lines that are dear to make.")
    ])

  private static let maxDepth = options([
    option("max_depth", "integer", default: "128", "Tables within tables; deeper ones are refused.")
  ])

  package static let json = APIModule(
    name: "moonpeer.json",
    doc: "Strict JSON (RFC 8259) in UTF-8. Integers stay integers; errors are of kind `json` and say where.",
    fields: [
      field("null", "moonpeer.json.null", "JSON's null, which Lua's nil cannot be: it would vanish from a table.")
    ],
    functions: [
      function(
        "encode", [argument("value", "any", "text, number, boolean, `json.null`, or tables of them"), maxDepth],
        returns: [["text: string"]],
        "A table with `[1]` is an array, any other an object; an empty one is `{}` unless it is marked."),
      function(
        "decode", [argument("text", "string"), maxDepth], returns: [["value: any"]],
        "Arrays come marked, so that they encode as they were."),
      function(
        "array", [optional("list", "table", default: "{}")], returns: [["list: table"]],
        "Marks a list as an array, even if it is empty, and gives it back."),
    ])

  package static let jsonNull = APIClass(
    name: "json.null", type: "moonpeer.json.null", doc: "The value of JSON's null: truthy, equal to itself alone.")

  package static let nodeModule = APIModule(
    name: "moonpeer.node",
    doc:
      """
      The node's own handle, for modules that are not handed it. Loaded before the node starts (at a script's top \
      level) it is an error.
      """
  )

  static let logExample = """
    -- measured.lua
    local log = require "moonpeer.log"
    local json = require "moonpeer.json"

    return {
      on_disconnect = function(_, conn, reason)
        log.info("gone", { side = conn.side, kind = reason.kind })
        if log.enabled("debug") then log.debug(json.encode(conn.state)) end
      end,
    }
    """

  /// The globals a script has, and what of Lua's libraries; `--trusted` opens the rest.
  package static let globals: [String] = [
    "_G", "_VERSION", "assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall",
    "print",
    "rawequal", "rawget", "rawlen", "rawset", "require", "select", "setmetatable", "tonumber", "tostring", "type",
    "warn", "xpcall",
  ]

  package static let libraries: [(name: String, members: [String])] = [
    ("coroutine", ["close", "create", "isyieldable", "resume", "running", "status", "wrap", "yield"]),
    ("debug", ["traceback"]),
    (
      "math",
      [
        "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log", "max", "maxinteger",
        "min",
        "mininteger", "modf", "pi", "rad", "random", "randomseed", "sin", "sqrt", "tan", "tointeger", "type", "ult",
      ]
    ),
    ("os", ["clock", "date", "difftime", "time"]),
    (
      "string",
      [
        "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize", "rep",
        "reverse", "sub",
        "unpack", "upper",
      ]
    ),
    ("table", ["concat", "insert", "move", "pack", "remove", "sort", "unpack"]),
    ("utf8", ["char", "charpattern", "codepoint", "codes", "len", "offset"]),
  ]
}
