extension LuaAPI {
  static let metrics: [APIFunction] = [
    function(
      "metric",
      [
        argument("name", "string", "of a counter, ends in `_total`"),
        required(
          "options",
          [
            field("kind", "\"counter\"|\"gauge\"|\"histogram\"", "What it is."),
            option("help", "string", default: "the name", "What it counts, in one line, for who looks at it."),
            option("labels", "string[]", default: "none", "The names of its labels, besides `node`, which all have."),
            option(
              "buckets", "number[]", default: "from 0.005 to 10",
              "Of a histogram: the upper bounds, growing; at most 64."),
          ]),
      ], returns: [["moonpeer.Metric"]],
      """
      Finds or makes a metric of the script's own, for `--metrics`. The same name is the same metric, also after a \
      reload. A node has at most 200 metrics and 1,000 series; what is over is dropped, counted and logged once.
      """)
  ]

  package static let metric = APIClass(
    name: "metric", type: "moonpeer.Metric",
    doc: "What `node:metric` gives. `labels` has a value (a string, number or boolean) for every declared label.",
    fields: [
      field("name", "string", "Its name."), field("kind", "\"counter\"|\"gauge\"|\"histogram\"", "What it is."),
    ],
    methods: [
      function(
        "add", [optional("number", "number", default: "1"), optional("labels", "table<string, any>")],
        "Adds to a counter, which takes nothing below 0, or to a gauge."),
      function("set", [argument("number", "number"), optional("labels", "table<string, any>")], "Sets a gauge."),
      function(
        "observe", [argument("number", "number"), optional("labels", "table<string, any>")],
        "Puts a number into its bucket of a histogram: base units, so seconds and bytes."),
    ])

  static let metricsExample = """
    -- orders.lua
    return {
      init = function(node)
        node.state.orders = node:metric("orders_total", { kind = "counter", help = "orders taken", labels = { "size" } })
        node.state.pending = node:metric("orders_pending", { kind = "gauge" })
      end,
      process_message = function(node, conn, message)
        node.state.orders:add(1, { size = #message > 100 and "large" or "small" })
        node.state.pending:add(1)
        conn:send("thanks")
        node.state.pending:add(-1)
      end,
    }
    """
}
