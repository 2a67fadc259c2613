extension LuaAPI {
  private static func hook(
    _ name: String, _ arguments: [APIArgument], returns: [[String]] = [], when: String, _ doc: String, waits: Bool = true
  ) -> APIKey {
    APIKey(name: name, kind: .hook(function(name, arguments, returns: returns, waits: waits, doc), when: when), doc: doc)
  }

  private static func setting(_ name: String, _ type: String, _ doc: String) -> APIKey {
    APIKey(name: name, kind: .value(type: type), doc: doc)
  }

  private static let nodeArgument = argument("node", "moonpeer.Node")
  private static let connArgument = argument("conn", "moonpeer.Conn")

  /// The keys of the table a script returns, in the order of a node's life. Any other key is refused.
  package static let scriptKeys: [APIKey] = [
    setting("name", "string", "Shown in logs; `--name` and the configuration's `name` go before it."),
    setting("version", "integer", "The script's own number, shown by `moonpeer check`."),
    setting(
      "config", "table<string, string|number|boolean|string[]>",
      "The node's defaults: the keys of the next section. The command line and Swift override them."),
    setting(
      "args", "table<string, moonpeer.Arg|string|number|boolean>",
      """
      Declared arguments: name → default, or `{ default =, type =, help = }`. Set with `--set name=value`; an \
      undeclared one is refused.
      """
    ),
    hook(
      "init", [nodeArgument, argument("args", "table<string, any>", "the declared arguments with their values")],
      when: "once, before the node listens",
      """
      Sets up `node.state`, starts tasks. While it waits the node does not listen; an error in it keeps the node \
      from starting.
      """
    ),
    setting(
      "codec", "moonpeer.Codec|fun(node: moonpeer.Node, conn: moonpeer.Conn): moonpeer.Codec",
      """
      How messages stand in the bytes, both ways. A function chooses per connection, after its handshake. Without \
      one, messages are chunks of bytes as they come.
      """
    ),
    hook(
      "handshake", [nodeArgument, connArgument], returns: [["peer: any"]],
      when: "per connection, under `handshake_timeout`",
      """
      Raw or framed reads and writes before the connection is live. What it returns becomes `conn.peer`; an error \
      rejects the connection.
      """
    ),
    hook(
      "on_connect", [nodeArgument, connArgument], when: "the connection is live",
      """
      Runs beside message processing; up to its first wait it runs before the first message. An error closes the \
      connection.
      """
    ),
    hook(
      "process_message",
      [nodeArgument, connArgument, argument("message", "any", "what the codec decoded; bytes without one")],
      when: "per message, in order",
      "While it waits, the connection's next message waits too and TCP pushes back. An error closes the connection."),
    hook(
      "session", [nodeArgument, connArgument], when: "per connection, instead of `process_message`",
      "A straight-line conversation with `conn:receive()`. Returning closes the connection with reason `session_ended`."
    ),
    hook(
      "on_disconnect", [nodeArgument, connArgument, argument("reason", "moonpeer.Reason")],
      when: "once per live connection, under `on_disconnect_timeout`",
      "Runs before the connection is forgotten, never for one that was rejected. An error is logged and counted."),
    setting(
      "timers", "table<string, moonpeer.TimerEntry>",
      """
      Name → `{ every =, jitter =, run = function(node) end }`; they start after `init`. An error in one is logged \
      and the timer goes on.
      """
    ),
    setting(
      "calls", "table<string, fun(node: moonpeer.Node, ...: any): any>",
      """
      Name → `function(node, …)`: what another script, a scenario or Swift may ask. Plain data in and out; an error \
      is raised at the caller.
      """
    ),
    hook(
      "save", [argument("state", "table")], returns: [["data: any"]], when: "at a reload, in the old code",
      """
      What of `node.state` moves to the new code, as plain data. Without it: all of it. It cannot wait; an error gives \
      the reload up.
      """, waits: false
    ),
    hook(
      "restore", [argument("data", "any"), argument("from_version", "integer?", "the old script's `version`")],
      returns: [["state: table"]], when: "at a reload, in the new code",
      """
      Makes the new `node.state` from what the old code saved. Without it: the data as it is. `init` is not run again: \
      tasks that the new code needs are started here, with `require("moonpeer.node"):spawn(…)`. It cannot wait; an error \
      gives the reload up.
      """, waits: false
    ),
    hook(
      "save_connection", [connArgument], returns: [["data: any"]], when: "at a reload, per connection, in the old code",
      "What of `conn.state` moves. Without it: all of it.", waits: false
    ),
    hook(
      "restore_connection",
      [connArgument, argument("data", "any"), argument("from_version", "integer?", "the old script's `version`")],
      returns: [["state: any"]], when: "at a reload, per connection, in the new code",
      """
      What it returns becomes `conn.state`; after nil, that is what it has put into `conn.state` itself. Without it: the \
      data as it is.
      """, waits: false
    ),
    hook(
      "on_shutdown", [nodeArgument], when: "before the connections are closed, under `on_shutdown_timeout`",
      "The last word: connections are still live. An error is logged."),
  ]

  /// The kinds a declared argument may have.
  package static let argumentTypes = ["string", "integer", "number", "boolean", "duration", "size", "table"]

  package static let argumentEntry = APIClass(
    name: "args entry", type: "moonpeer.Arg",
    doc: "One entry of `args`, where a plain default does not say enough.",
    fields: [
      option("default", "any", "The value it has when it is not set; nil: the argument is nil then."),
      option(
        "type", argumentTypes.map { "\"\($0)\"" }.joined(separator: "|"), default: "the default's own",
        """
        What a text from the command line is made into; durations become seconds, sizes bytes. `\"string\"` without \
        a default.
        """
      ),
      option("help", "string", "Shown by `moonpeer check`."),
    ])

  package static let timerEntry = APIClass(
    name: "timers entry", type: "moonpeer.TimerEntry", doc: "One entry of `timers`.",
    fields: [
      field(
        "every", "moonpeer.Duration",
        "How often it runs; more than 0. The grid is kept: a tick that is due while the last still runs is left out."),
      option(
        "jitter", "moonpeer.Duration", default: "0",
        "Up to so much is added to each tick at random, without moving the grid; 0: none."),
      field("run", "fun(node: moonpeer.Node)", "What runs; it may wait."),
    ])

  static let scriptExample = """
    -- tally.lua
    local codec = require "moonpeer.codec"

    return {
      name = "tally",
      config = { max_connections = 50, idle_timeout = "5m" },
      args = { step = { default = 1, type = "integer", help = "what a message adds" } },
      codec = codec.lines { max = "4KiB" },

      init = function(node)
        node.state.total = 0
      end,
      process_message = function(node, conn)
        node.state.total = node.state.total + node.args.step
        conn:send(tostring(node.state.total))
      end,
      timers = {
        report = { every = "30s", run = function(node) print("total", node.state.total) end },
      },
      calls = {
        total = function(node) return node.state.total end,
      },
    }
    """

  static let configurationExample = """
    -- quiet.lua
    return {
      config = {
        listen = { "127.0.0.1:0", "unix:/run/quiet/sock" }, -- with --unix-sockets /run/quiet
        max_connections_per_ip = 4,
        idle_timeout = 0, -- none
        outbound_high_water = "1MiB",
        inbound_policy = "drop",
      },
      process_message = function() end,
    }
    """
}
