/// What `moonpeer new` writes: a small protocol with a handshake, and a scenario for it.
struct Starter {
  /// The folder's name, which the script gets too.
  let name: String

  /// File names and contents.
  var files: [(name: String, text: String)] {
    [("\(name).lua", script), ("scenario.lua", scenario)]
  }

  private var script: String {
    """
    -- \(name): nodes that tell each other their names, and answer every message with the same one in capitals.
    local codec = require "moonpeer.codec"
    local log = require "moonpeer.log"

    return {
      name = "\(name)",

      -- Framing: four bytes of length, then the message.
      codec = codec.length_prefixed { width = 4, max = "64KiB" },

      -- moonpeer run \(name).lua --set greeting=hi
      args = {
        greeting = { default = "hello", help = "the word this node introduces itself with" },
      },

      -- Both sides send their name and wait for the other's. What it returns becomes conn.peer.
      handshake = function(node, conn)
        conn:send(node.args.greeting .. " " .. node.name)
        local introduction = assert(conn:receive("2s"))
        return introduction:match(" (.+)$") or error("the peer did not say its name")
      end,

      on_connect = function(_, conn)
        log.info("met " .. conn.peer, { side = conn.side })
      end,

      process_message = function(node, conn, message)
        if conn.side == "responder" then
          conn:send(message:upper())
        else
          node.state.answer = message
        end
      end,

      -- What a scenario, or another script, may ask.
      calls = {
        shout = function(node, text)
          return node:broadcast(text)
        end,
        answer = function(node)
          return node.state.answer
        end,
      },
    }

    """
  }

  private var scenario: String {
    """
    -- moonpeer test scenario.lua
    local network = require "moonpeer.network"

    network.scenario("a message comes back in capitals", function(net)
      local nodes = net:nodes(2, "\(name).lua")
      net:connect(nodes, network.line())

      net:expect(nodes[1]:call("shout", "is anybody there?") == 1, "one node hears it")
      net:eventually("the answer arrives", "5s", function()
        return nodes[1]:call("answer") == "IS ANYBODY THERE?"
      end)
    end)

    """
  }
}
