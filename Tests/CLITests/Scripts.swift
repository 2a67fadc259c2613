/// Scripts that several tests share.
enum Scripts {
  /// Answers lines, and logs each step of its life.
  static let life = """
    local codec = require "moonpeer.codec"
    local log = require "moonpeer.log"
    return {
      codec = codec.lines(),
      args = { rate = 10, mode = { default = "slow", help = "how it goes" } },
      init = function(node) log.info("up", { rate = node.args.rate, limit = node.config.max_connections }) end,
      on_connect = function(node, conn)
        log.info("met", { side = conn.side })
        if conn.side == "initiator" then conn:send("hello from " .. node.name) end
      end,
      process_message = function(node, conn, message)
        log.info("heard", { text = message })
        if conn.side == "responder" then conn:send("you said " .. message) end
      end,
      on_disconnect = function(_, _, reason) log.info("gone", { why = reason.kind }) end,
      on_shutdown = function() log.info("bye") end,
    }
    """

  /// A node that takes its time to leave.
  static let slowToLeave = """
    local log = require "moonpeer.log"
    return {
      config = { on_shutdown_timeout = "10m" },
      on_shutdown = function(node)
        log.info("leaving")
        node:sleep("10m")
      end,
    }
    """

  static func scenarios(_ list: [(name: String, body: String)]) -> String {
    "local network = require \"moonpeer.network\"\n"
      + list.map { "network.scenario([==[\($0.name)]==], function(net) \($0.body) end)\n" }.joined()
  }

  static let passing = scenarios([("sums are right", "net:expect(1 + 1 == 2)")])
}
