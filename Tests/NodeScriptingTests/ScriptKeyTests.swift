import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// The keys of the table a script returns, each with a node that runs.
@Suite(.timeLimit(.minutes(5))) struct ScriptKeyTests {
  @Test func `Name and version are declared, and the name is in every log line`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        "return { name = 'gossip', version = 3, init = function() print 'ready' end }", name: "anna")
      #expect(node.declaration.name == "gossip")
      #expect(node.declaration.version == 3)
      let line = try #require(nodes.log.lines(with: "ready").first)
      #expect(line.metadata["node"] == "anna")
      #expect(line.metadata["script"] == "gossip")
    }
  }

  @Test func `A node without a name gets one, and logs under it`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { init = function(node) print('I am ' .. node.name) end }")
      #expect(node.name.hasPrefix("node-"))
      #expect(nodes.log.lines(with: "I am \(node.name)").first?.metadata["node"] == "\(node.name)")
    }
  }

  @Test func `Config is over the defaults and under what the caller sets, and can be read`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { max_connections = 7, idle_timeout = '2m' } }") {
        $0.defaults.maxConnections = 3
        $0.configuration = [("idle_timeout", .string("90s"))]
      }
      #expect(try await node.lua("return node.config.max_connections") == 7)
      #expect(try await node.lua("return node.config.idle_timeout") == 90.0)
      #expect(try await node.lua("return node.config.write_timeout") == 10.0)
      let unknown = await failure { try await node.lua("return node.config.idle_timeot") }
      #expect(unknown?.message.contains("did you mean \"idle_timeout\"?") == true)
      let written = await failure { try await node.lua("node.config.idle_timeout = 5") }
      #expect(written?.message.contains("cannot be changed") == true)
    }
  }

  @Test func `The script's own memory and time limits hold`() async throws {
    try await withNodes { nodes in
      let hasty = try await nodes.start("return { config = { script_time = '30ms' } }")
      let endless = await failure { try await hasty.lua("while true do end") }
      #expect(endless?.code == .budget)
      #expect(endless?.message.contains("script_time") == true)
      // With time enough, so that only the memory can end it on a busy machine.
      let node = try await nodes.start("return { config = { script_time = '60s', script_memory = '2MiB' } }")
      let bomb = await failure { try await node.lua("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end") }
      #expect(bomb?.code == .budget)
      #expect(bomb?.message.contains("script_memory") == true)
      #expect(try await node.lua("return 1 + 1") == 2)
    }
  }

  @Test(arguments: [
    ("string", "7", "string 7"), ("integer", "7", "integer 7"), ("number", "2.5", "number 2.5"),
    ("boolean", "yes", "boolean true"), ("boolean", "off", "boolean false"), ("duration", "250ms", "number 0.25"),
    ("size", "2KiB", "number 2048"),
  ])
  func `Text from outside becomes what the argument declares`(type: String, text: String, result: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { args = { x = { type = '\(type)', help = 'something' } } }") {
        $0.arguments["x"] = LuaValue(text)
      }
      let kind = type == "integer" ? "math.type" : "type"
      #expect(try await node.lua("return \(kind)(node.args.x) .. ' ' .. tostring(node.args.x)") == LuaValue(result))
    }
  }

  @Test func `Text for a table is JSON`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { args = { seeds = { type = 'table' } } }") {
        $0.arguments["seeds"] = #"["one", { "port": 2 }]"#
      }
      #expect(try await node.lua("return node.args.seeds[1] .. node.args.seeds[2].port") == "one2")
    }
  }

  @Test func `Arguments have their defaults, and init gets them`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return { args = { port = 80, greeting = { default = "hi", help = "said first" }, none = { type = "string" } },
          init = function(node, args) node.state.same = args == node.args end }
        """
      ) { $0.arguments["port"] = "81" }
      #expect(try await node.lua("return node.args.port + 0 == 81 and node.args.greeting == 'hi'") == true)
      #expect(try await node.lua("return node.args.none") == .nil)
      #expect(try await node.lua("return node.state.same") == true)
      #expect(node.declaration.arguments.map(\.name) == ["greeting", "none", "port"])
    }
  }

  @Test(arguments: [
    ("{ port = 80 }", "prot", "1", "unknown argument \"prot\"; did you mean \"port\"?"),
    ("{ port = 80 }", "port", "many", "argument \"port\" must be a whole number, got string \"many\""),
    ("{ on = true }", "on", "maybe", "argument \"on\" must be true or false, got string \"maybe\""),
    ("{ wait = { type = 'duration' } }", "wait", "inf", "argument \"wait\" must be a duration"),
    ("{ seeds = { type = 'table' } }", "seeds", "[1", "argument \"seeds\" must be a table (on the command line, JSON)"),
    ("nil", "port", "1", "unknown argument \"port\"; this script declares none (key args)"),
  ])
  func `A wrong argument is refused with what would do`(
    args: String, key: String, value: String, words: String
  ) async throws {
    try await withNodes { nodes in
      let error = await failure {
        _ = try await nodes.load("return { args = \(args) }") { $0.arguments[key] = LuaValue(value) }
      }
      #expect(error?.code == .configuration)
      #expect(error?.location == "test.lua")
      #expect(error?.message.contains(words) == true, "\(error?.description ?? "no error")")
    }
  }

  @Test func `Init may wait, and runs before the node listens`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return { init = function(node)
          node.state.before = node.address == nil
          node:sleep("1ms")
          node.state.after = node.address == nil
        end }
        """)
      #expect(try await node.lua("return node.state.before and node.state.after and node.address ~= nil") == true)
    }
  }

  @Test func `A codec may be chosen for each connection, after the handshake`() async throws {
    try await withNodes { nodes in
      let script = """
        local codec = require "moonpeer.codec"
        return {
          handshake = function(_, conn)
            conn:write(conn.side == "initiator" and "L" or "P")
            conn.state.theirs = conn:read(1)
          end,
          codec = function(node, conn)
            return (conn.side == "initiator" or conn.state.theirs == "L") and codec.lines() or codec.bytes()
          end,
          process_message = function(node, conn, message) node.state.got = message end,
        }
        """
      let server = try await nodes.start(script)
      let client = try await nodes.start(script)
      try await client.lua("local conn = assert(node:connect(...)) conn:send 'first' conn:send 'second'", server.at)
      try await eventually("the last line") { try await server.lua("return node.state.got") == "second" }
    }
  }

  @Test func `A codec function that returns something else rejects the connection and says so`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start("return { codec = function() return 'lines' end }")
      let error = try await client.lua("local _, e = node:connect(...) return e.kind .. ': ' .. e.message", server.at)
      #expect(error.text?.contains("handshake: ") == true)
      #expect(
        error.text?.contains("the function must return a codec from require \"moonpeer.codec\", got string \"lines\"") == true)
    }
  }

  @Test func `What the handshake returns is the peer, on both sides and in Swift`() async throws {
    try await withNodes { nodes in
      let script = """
        return { args = { me = "" }, handshake = function(node, conn)
          conn:write(node.args.me .. "\\n")
          return conn:read_until("\\n", 100)
        end }
        """
      let server = try await nodes.start(script) { $0.arguments["me"] = "server" }
      let client = try await nodes.start(script) { $0.arguments["me"] = "client" }
      #expect(try await client.lua("return assert(node:connect(...)).peer", server.at) == "server")
      try await eventually("the other side") {
        try await server.lua("local conn = node:connections()[1] return conn and conn.peer") == "client"
      }
      #expect(await client.node.connections().first?.peer == "server")
    }
  }

  @Test func `on_connect runs beside the messages, its first part before them`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local function note(node, text) table.insert(node.state, text) end
        return { codec = codec.lines(),
          on_connect = function(node, conn)
            note(node, "on_connect")
            node.state.gate:get()
            note(node, "on_connect goes on")
          end,
          init = function(node) node.state.gate = node:queue() end,
          process_message = function(node, conn, message)
            note(node, message)
            if message == "second" then node.state.gate:put(true) end
          end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await client.lua("local conn = assert(node:connect(...)) conn:send 'first' conn:send 'second'", server.at)
      try await eventually("all four") { try await server.lua("return #node.state") == 4 }
      #expect(
        try await server.lua("return table.concat(node.state, ', ')") == "on_connect, first, second, on_connect goes on")
    }
  }

  @Test func `Messages are handled in order, the next one when the hook has ended`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(), process_message = function(node, conn, message)
          assert(not node.state.busy, "two at once")
          node.state.busy = true
          if tonumber(message) % 7 == 0 then node:sleep(0) end
          node.state.busy = false
          table.insert(node.state, message)
        end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await client.lua("local conn = assert(node:connect(...)) for i = 1, 200 do conn:send(tostring(i)) end", server.at)
      try await eventually("all of them") { try await server.lua("return #node.state") == 200 }
      #expect(try await server.lua("for i = 1, 200 do if node.state[i] ~= tostring(i) then return i end end") == .nil)
    }
  }

  @Test func `A session reads as it likes and closes when it returns`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(),
          session = function(node, conn)
            local name = conn:receive()
            conn:send("hello " .. name)
            node.state.last = conn:receive()
          end,
          on_disconnect = function(node, conn, reason) node.state.reason = reason.kind end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      let answer = try await client.lua(
        """
        local conn = assert(node:connect(...))
        conn:send "anna"
        local hello = conn:receive("5s")
        conn:send "bye"
        local over, why = conn:receive("5s")
        return { hello, why }
        """, server.at)
      #expect(answer == ["hello anna", "closed"])
      #expect(try await server.lua("return node.state.last") == "bye")
      try await eventually("the end") { try await server.lua("return node.state.reason") == "session_ended" }
    }
  }

  @Test func `Timers and calls are declared, and calls answer`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return {
          timers = { tick = { every = "1ms", run = function(node) node.state.ticks = (node.state.ticks or 0) + 1 end } },
          calls = { sum = function(node, ...)
            local sum = 0
            for _, value in ipairs { ... } do sum = sum + value end
            return sum, node.name
          end },
        }
        """, name: "adder")
      #expect(node.declaration.timers == ["tick"])
      #expect(node.declaration.calls == ["sum"])
      #expect(try await node.call("sum", [1, 2, 3]) == [6, "adder"])
      try await eventually("ticks") { try await node.lua("return (node.state.ticks or 0) > 2") == true }
    }
  }

  @Test func `on_shutdown runs while connections are still there, and is bounded`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        return { config = { on_shutdown_timeout = "20ms" }, on_shutdown = function(node)
          print("connections: " .. #node:connections())
          node:sleep("1h")
          print "never"
        end }
        """)
      try await client.lua("assert(node:connect(...)) return nil", server.at)
      await client.shutDown()
      #expect(nodes.log.lines(with: "connections: 1").count == 1)
      #expect(nodes.log.lines(with: "never").isEmpty)
      #expect(nodes.log.lines(with: "on_shutdown took longer than").count == 1)
    }
  }
}
