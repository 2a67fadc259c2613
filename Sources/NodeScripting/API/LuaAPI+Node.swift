extension LuaAPI {
  private static let dialOptions = [
    option(
      "timeout", "moonpeer.Duration", default: "connection_timeout",
      "For the TCP connect, and before it for the look-up of a name."),
    option("local_address", "moonpeer.Address", "Where the dial comes from; port 0: any."),
    option("reuse_port", "boolean", default: "false", "Lets the local port be shared, with a listener say."),
  ]

  package static let node = APIClass(
    name: "node", type: "moonpeer.Node",
    doc:
      """
      The running node: the first argument of every hook, and `require \"moonpeer.node\"` once the node starts. A \
      name it does not have is an error that suggests one.
      """,
    fields: [
      field("name", "string", "In every log line; `calls` of other scripts find the node by it."),
      field("id", "integer", "The node's number in this process."),
      field("args", "table<string, any>", "The declared arguments with their values."),
      field(
        "config", "table<string, any>",
        """
        The configuration as it is in force, read only: durations in seconds, sizes in bytes; nil where a key is not \
        set.
        """
      ),
      field("state", "table", "The script's own state; starts as an empty table."),
      field("address", "moonpeer.Address?", "Where the node listens, as bound; nil: it does not."),
    ],
    methods: network + tasks + time + metrics)

  private static let network: [APIFunction] = [
    function(
      "listen", [optional("address", "moonpeer.Address", default: "the first of the configuration's")],
      returns: [["bound: moonpeer.Address"], ["nil", "error: moonpeer.Error"]], waits: true,
      """
      Listens there and gives the bound address; port 0: any free one. At `max_listeners` addresses at most. For a Unix \
      socket `error.kind` may be `not_allowed`.
      """),
    function("stop_listening", returns: [["true"]], waits: true, "Closes the listeners; established connections stay."),
    function(
      "connect", [argument("address", "moonpeer.Address"), options(dialOptions)],
      returns: [["conn: moonpeer.Conn"], ["nil", "error: moonpeer.Error"]], waits: true,
      """
      Dials, and gives a live connection after its handshake. `error.kind` is `refused`, `timeout`, `resolve`, \
      `limit`, `duplicate`, `self`, `handshake`, `closed`, `system`, `shutdown` or `not_allowed`.
      """
    ),
    function(
      "open",
      [
        argument("address", "moonpeer.Address"),
        options(
          [option("codec", "moonpeer.Codec", default: "codec.bytes()", "How `receive` and `send` frame.")] + dialOptions
        ),
      ], returns: [["conn: moonpeer.Conn"], ["nil", "error: moonpeer.Error"]], waits: true,
      """
      Opens a plain stream of the caller's own, for proxies and foreign services: no handshake, no hooks, counted in \
      the limits.
      """
    ),
    function(
      "disconnect", [argument("target", "moonpeer.Address|moonpeer.Conn", "a peer's address or a conn")],
      returns: [["was_open: boolean"]], waits: true,
      """
      Closes after what is queued has left and waits for `on_disconnect`; in a hook of that connection it only asks. \
      False when there was none.
      """
    ),
    function("connections", returns: [["moonpeer.Conn[]"]], "The live connections in the order they came up."),
    function(
      "connection", [argument("address", "moonpeer.Address", "the peer's address")],
      returns: [["conn: moonpeer.Conn"], ["nil"]],
      "The live connection with that peer; nil when there is none."),
    function(
      "is_connected", [argument("address", "moonpeer.Address", "the peer's address")], returns: [["boolean"]],
      "Whether there is a live connection with that peer."),
    function("counts", returns: [["moonpeer.Counts"]], "How many connections are live and how many are being set up."),
    function(
      "send", [argument("address", "moonpeer.Address", "the peer's address"), argument("message", "any")],
      returns: [["true"], ["nil", "why: \"closed\""]], waits: true,
      "As `conn:send` on that connection; `closed` where there is none."),
    function(
      "broadcast",
      [
        argument("message", "any"),
        options([option("except", "moonpeer.Conn", "Is left out: the one it came from, say.")]),
      ],
      returns: [["count: integer"]],
      """
      Queues the message on every live connection without waiting, encoded once per codec; how many took it. A full \
      queue is passed over.
      """
    ),
    function(
      "call",
      [
        argument("target", "string", "a node's name in this process"), argument("name", "string", "one of its `calls`"),
        argument("...", "any", "plain data"),
      ],
      returns: [["...: any"]], waits: true,
      """
      Runs another script's call and gives what it returns; raises what it raises, and kind `full` at once where \
      `max_calls` are under way in one of the two nodes or what they carry takes a quarter of its `script_memory`: \
      try again when some have ended. A call counts until it has ended, also where its caller has given up.
      """),
    function(
      "stats", returns: [["moonpeer.Stats"]], "Traffic of the node in all its life, closed connections included."),
    function("heuristics", returns: [["moonpeer.Heuristics"]], "What the node noticed: counters that only grow."),
    function("shut_down", "Asks for the node's shutdown and returns at once."),
  ]

  private static let tasks: [APIFunction] = [
    function(
      "spawn", [argument("fn", "function"), argument("...", "any", "handed to `fn`")], returns: [["moonpeer.Task"]],
      "Runs `fn` as a task of its own, from the end of this tick. An error no one joins is logged and counted."),
    function(
      "timeout",
      [
        argument("duration", "moonpeer.Duration"), argument("fn", "function"), argument("...", "any", "handed to `fn`"),
      ],
      returns: [["...: any"]], waits: true,
      "Runs `fn` and gives what it returns; past the time it is cancelled and an error of kind `timeout` is raised."),
    function(
      "all", [argument("...", "function|moonpeer.Task", "functions and tasks, or one list of them")],
      returns: [["...: any"]], waits: true,
      """
      Waits for all; the first result of each, in order (a list for a list). Raises the first error and cancels the \
      functions that still run.
      """
    ),
    function(
      "any", [argument("...", "function|moonpeer.Task", "functions and tasks, or one list of them")],
      returns: [["...: any"]], waits: true,
      """
      Waits for the first to finish well and gives what it returns; the other functions are cancelled. Raises when \
      all fail.
      """
    ),
    function(
      "queue", [optional("bound", "integer", default: "1024", "values it holds, at least 1")],
      returns: [["moonpeer.Queue"]],
      "A bounded queue between tasks."),
  ]

  private static let time: [APIFunction] = [
    function(
      "sleep", [argument("duration", "moonpeer.Duration", "0: until the next turn of the loop")], waits: true, "Waits."),
    function(
      "after", [argument("duration", "moonpeer.Duration"), argument("fn", "fun()")], returns: [["moonpeer.Timer"]],
      "Runs `fn` once, as a task of its own."),
    function(
      "every",
      [
        argument("duration", "moonpeer.Duration", "more than 0"), argument("fn", "fun()"),
        options([
          option("jitter", "moonpeer.Duration", default: "0", "Up to so much is added to each tick at random; 0: none.")
        ]),
      ], returns: [["moonpeer.Timer"]],
      "Runs `fn` again and again. The grid is kept, and a tick that is due while the last still runs is left out."),
    function(
      "now", returns: [["number"]],
      "Seconds from an arbitrary start, never going back: for differences. `os.time()` tells the date."),
    function(
      "random", [optional("low", "integer"), optional("high", "integer")], returns: [["number"]],
      overloads: [
        "fun(self: moonpeer.Node, high: integer): integer",
        "fun(self: moonpeer.Node, low: integer, high: integer): integer",
      ],
      """
      `random()` is in [0, 1), `random(n)` in 1 to n, `random(m, n)` in m to n; from this world's generator, as \
      whole numbers but for the first.
      """
    ),
  ]

  package static let counts = APIClass(
    name: "counts", type: "moonpeer.Counts", doc: "What `node:counts()` gives.",
    fields: [
      field("connected", "integer", "Live connections."),
      field("connecting", "integer", "Set-ups in progress, both directions."),
    ])

  package static let statistics = APIClass(
    name: "stats", type: "moonpeer.Stats", doc: "What `node:stats()` and `conn:stats()` give.",
    fields: [
      field("messages_sent", "integer", "Messages queued to be sent."),
      field("bytes_sent", "integer", "Their bytes, without what the framing adds."),
      field("messages_received", "integer", "Messages handed to the script."),
      field("bytes_received", "integer", "Their bytes, as the codec cut them."),
      field("created_at", "number", "When it came up, in seconds since the epoch."),
    ])

  static let nodeExample = """
    -- seeds.lua
    return {
      args = { seeds = { type = "table", default = {} } },
      init = function(node)
        node:spawn(function()
          for _, address in ipairs(node.args.seeds) do
            local conn, problem = node:connect(address, { timeout = "2s" })
            if not conn then print("no seed at", address, problem.kind) end
          end
        end)
      end,
      process_message = function(node, conn, message)
        node:broadcast(message, { except = conn })
      end,
    }
    """
}
