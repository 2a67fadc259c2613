package import NodeScripting

/// The Lua API of scenarios, in the vocabulary of NodeScripting's.
package enum NetworkAPI {
  private static let topology = [["moonpeer.Topology"]]

  package static let module = APIModule(
    name: "moonpeer.network",
    doc: "Only in files that `moonpeer test` runs.",
    functions: [
      function(
        "scenario",
        [
          argument("name", "string", "not twice in a file"),
          options([option("timeout", "moonpeer.Duration", default: "60", "For the whole scenario.")]),
          argument("fn", "fun(net: moonpeer.Net)"),
        ], overloads: ["fun(name: string, fn: fun(net: moonpeer.Net))"],
        """
        Declares a scenario: it passes when `fn` returns and every property held. Each runs with nodes and a Lua of \
        its own.
        """
      ),
      function("line", returns: topology, "Each dials the next; at least 2 nodes."),
      function("ring", returns: topology, "A line whose last dials the first; at least 3."),
      function("mesh", returns: topology, "Each with each; at least 2."),
      function("star", returns: topology, "All dial the first; at least 2."),
      function(
        "grid",
        [required("options", [field("width", "integer", "At least 1."), field("height", "integer", "At least 1.")])],
        returns: topology, "Rows of `width`, each connected with its neighbours; width × height nodes."),
      function(
        "tree", [options([option("branching", "integer", default: "2", "Children of each, at least 1.")])],
        returns: topology,
        "The first is the root; at least 2."),
      function(
        "random",
        [
          options([
            option("degree", "integer", default: "3", "Neighbours of each; less than the number of nodes."),
            option("seed", "integer", default: "0", "The same seed, the same network."),
          ])
        ], returns: topology, "Connected, each with `degree` neighbours; an error when there is no such network."),
    ])

  package static let topologyType = APIClass(
    name: "topology", type: "moonpeer.Topology", doc: "Who dials whom; for `net:connect`.")

  private static let check = argument("fn", "fun(): any, string?", "true when it holds; else false, and perhaps why")

  package static let net = APIClass(
    name: "net", type: "moonpeer.Net",
    doc:
      """
      The network of one scenario, on loopback sockets in this process. After every step and every 20 ms its \
      properties are looked at.
      """,
    methods: [
      function(
        "node",
        [
          argument("script", "string", "its file, from the scenario's folder"),
          optional(
            "args", "table<string, any>", default: "{}",
            "declared arguments and configuration keys; `unix_sockets`: paths of Unix sockets, or of their folders, for the script"
          ),
        ],
        returns: [["moonpeer.NodeHandle"]], waits: true,
        "Starts a node; without a `name` it is the script's name and a number."),
      function(
        "nodes",
        [
          argument("count", "integer", "at least 1"), argument("script", "string", "as for `net:node`"),
          optional(
            "args", "table<string, any>|fun(i: integer): table<string, any>", default: "{}",
            "as for `net:node`, or what each gets"),
        ], returns: [["moonpeer.NodeHandle[]"]], waits: true, "Starts several."),
      function(
        "connect", [argument("nodes", "moonpeer.NodeHandle[]"), argument("topology", "moonpeer.Topology")],
        returns: [["count: integer"]], waits: true,
        """
        Makes them dial, and waits up to 10 s until every connection stands on both sides; how many there are. Fails \
        where the topology cannot be formed.
        """
      ),
      function("sleep", [argument("duration", "moonpeer.Duration")], waits: true, "Waits."),
      function(
        "at", [argument("moment", "moonpeer.Duration", "since the scenario's start"), argument("fn", "fun()")],
        "Runs `fn` then; the scenario does not end before."),
      function(
        "expect",
        [argument("value", "any"), optional("message", "string", default: "\"the expectation does not hold\"")],
        returns: [["value: any"]], "Fails unless the value is true; gives it back."),
      function("fail", [optional("message", "string", default: "\"failed\"")], "Fails the scenario."),
      function(
        "eventually", [argument("name", "string"), argument("within", "moonpeer.Duration"), check],
        returns: [["value: any"]], waits: true,
        "Asks again and again until it holds; what it gave then. Fails past the time."),
      function("always", [argument("name", "string"), check], "From now on it must hold at every look."),
      function(
        "sometimes", [argument("name", "string"), check], "It must hold at one look at least, before the scenario ends."
      ),
    ])

  package static let handle = APIClass(
    name: "handle", type: "moonpeer.NodeHandle",
    doc: "A node of the scenario, seen from outside.",
    fields: [
      field("name", "string", "The node's name."),
      field("id", "integer", "1, 2, 3… per scenario."),
      field("address", "moonpeer.Address?", "Where it listens; nil: it does not, or is not running."),
    ],
    methods: [
      function(
        "call", [argument("name", "string", "one of its `calls`"), argument("...", "any", "plain data")],
        returns: [["...: any"]], waits: true,
        "What the call returns; raises what it raises."),
      function(
        "eval",
        [
          argument("code", "string", "an expression or statements"),
          argument("...", "any", "plain data, `...` in there"),
        ], returns: [["...: any"]], waits: true,
        "Runs Lua inside the node, with `node` in scope; what it returns."),
      function("connections", returns: [["moonpeer.ConnectionInfo[]"]], waits: true, "Its live connections."),
      function("stats", returns: [["moonpeer.Stats"]], waits: true, "As `node:stats()`."),
      function("heuristics", returns: [["moonpeer.Heuristics"]], waits: true, "As `node:heuristics()`."),
      function(
        "crash", returns: [["was_running: boolean"]], waits: true,
        "Cuts everything at once, without hooks; false when it was not running."),
      function(
        "shut_down", returns: [["was_running: boolean"]], waits: true,
        "Ends it in order; false when it was not running."),
      function(
        "reload",
        [optional("script", "string", default: "its own file", "another script; its path starts at the scenario's folder")],
        returns: [["moonpeer.ReloadReport"]], waits: true,
        "Gives it new code while it runs: same connections, same state. Raises where that fails; the old code runs on then."),
      function(
        "restart", returns: [["true"]], waits: true,
        "Ends it where it still runs, and starts it anew: empty state, same name and address."),
    ])

  package static let connectionInfo = APIClass(
    name: "connection info", type: "moonpeer.ConnectionInfo", doc: "An element of `handle:connections()`.",
    fields: [
      field("id", "integer", "1, 2, 3… per node."),
      field("address", "moonpeer.Address", "The peer's address."),
      field("local_address", "moonpeer.Address", "This side's address."),
      field("side", "\"initiator\"|\"responder\"", "Which end it is."),
    ])

  package static let reloadReport = APIClass(
    name: "reload report", type: "moonpeer.ReloadReport", doc: "What `handle:reload()` gives.",
    fields: [
      field("generation", "integer", "The number of the code in force; what a node starts with is 1."),
      field("moved", "integer", "Live connections that the new code has now."),
      field("left", "integer", "Connections that stay with the old code until they end."),
      field("pause", "number", "For how many seconds messages were held back."),
      field("warnings", "string[]", "Settings that need a restart."),
    ])

  package static let section = APISection(
    title: "Scenarios", doc: "Scripted test networks: nodes, who dials whom, and what must hold.",
    classes: [net, handle, connectionInfo, reloadReport, topologyType], modules: [module],
    example: """
      -- scenario.lua
      local network = require "moonpeer.network"

      network.scenario("an echo comes back", { timeout = "20s" }, function(net)
        local server, client = net:node("echo.lua"), net:node("echo.lua", { idle_timeout = "5s" })
        net:always("no script errors", function() return client:heuristics().script_errors == 0 end)
        net:connect({ client, server }, network.line())
        local reply = client:eval("return node:connections()[1]:request(...)", "hello")
        net:expect(reply == "hello", "the echo said " .. tostring(reply))
        server:shut_down()
        net:eventually("the client notices", "5s", function() return #client:connections() == 0 end)
      end)
      """)
}
