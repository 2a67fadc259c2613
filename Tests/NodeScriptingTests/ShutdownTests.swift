import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// A node may be shut down from anywhere, at any time, and then nothing of it runs any more.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct ShutdownTests {
  @Test(arguments: [
    "init", "handshake", "codec", "on_connect", "process_message", "session", "on_disconnect", "on_shutdown", "timer",
    "task", "call",
  ])
  func `shut_down may be asked for in every hook`(hook: String) async throws {
    let keys = [
      "init": "init = function(node) node:shut_down() end",
      "handshake": "handshake = function(node) node:shut_down() end",
      "codec": "codec = function(node) node:shut_down() return codec.lines() end",
      "on_connect": "on_connect = function(node) node:shut_down() end",
      "process_message": "codec = codec.lines(), process_message = function(node) node:shut_down() end",
      "session": "session = function(node, conn) conn:read(1) node:shut_down() end",
      "on_disconnect":
        "codec = codec.lines(), process_message = function(_, conn) conn:disconnect() end, on_disconnect = function(node) node:shut_down() end",
      "on_shutdown": "on_connect = function(node) node:shut_down() end, on_shutdown = function(node) node:shut_down() end",
      "timer": "timers = { t = { every = '1ms', run = function(node) node:shut_down() node:shut_down() end } }",
      "task": "init = function(node) node:spawn(function() node:shut_down() end) end",
      "call": "calls = { stop = function(node) node:shut_down() return 'asked' end }",
    ]
    try await withNodes { nodes in
      let client = try await nodes.start("return {}")
      let server = try await nodes.load(
        "local codec = require 'moonpeer.codec' return { \(keys[hook]!) }", name: "server")
      if hook == "init" {
        let error = await failure { try await server.start() }
        #expect(error == nil || error?.kind == "shutdown")
      } else {
        try await server.start()
        if hook == "call" {
          #expect(try await server.call("stop") == ["asked"])
        } else if hook != "timer", hook != "task" {
          try await client.lua("local conn = node:open(...) if conn then conn:write 'x\\n' end", server.at)
        }
      }
      try await eventually("its name is free") { nodes.directory.node(named: "server") == nil }
      // Twice is harmless, and waits for what has begun.
      await server.shutDown()
      #expect(await server.node.address == nil)
      #expect(await server.node.counts == (0, 0))
      let late = await failure { try await server.lua("return 1") }
      #expect(late?.kind == "shutdown")
      #expect(nodes.log.lines.allSatisfy { $0.level < .error }, "\(nodes.log.lines.filter { $0.level >= .error })")
    }
  }

  @Test func `Hooks that are parked are ended, in handlers too, and nobody waits for them`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        local function park(node, name)
          print(name .. " parks")
          local ok, problem = pcall(node.sleep, node, "1h")
          print(name .. " ended: " .. problem.kind)
          -- A handler that goes on waiting is refused at once.
          local again, why = pcall(node.sleep, node, "1h")
          assert(not again)
        end
        return { codec = codec.lines(),
          on_connect = function(node) park(node, "on_connect") end,
          process_message = function(node) park(node, "process_message") end,
          timers = { t = { every = "1ms", run = function(node) park(node, "timer") end } },
          calls = { wait = function(node) park(node, "call") end },
          init = function(node) node:spawn(park, node, "task") end }
        """)
      let client = try await nodes.start("return { codec = require 'moonpeer.codec'.lines() }")
      try await client.lua("assert(node:connect(...)):send 'x' return nil", server.at)
      async let call = failure { _ = try await server.call("wait") }
      try await eventually("the message has come") { await server.node.statistics().messagesReceived == 1 }
      try await eventually("they park") { ["task", "timer"].allSatisfy { !nodes.log.lines(with: "\($0) parks").isEmpty } }
      await server.shutDown()
      _ = await call
      for name in ["on_connect ended: closed", "process_message ended: closed", "task ended: shutdown", "timer ended: shutdown"] {
        #expect(nodes.log.lines(with: name).count == 1, "\(name)")
      }
    }
  }

  // The second uses up its share of the turn in which it ends: the dial's answer waits for one that never comes.
  @Test(arguments: ["", "node:shut_down() local began = node:now() while node:now() - began < 0.02 do end"])
  func `A handshake and a dial under way end with shutdown`(work: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return { handshake = function(_, conn) conn:read(1) end }")
      let client = try await nodes.start("return { handshake = function(_, conn) conn:read(1) end }")
      async let kind = client.lua(
        "local _, e = node:connect(...) print('dial: ' .. e.kind) return e.kind", server.at)
      try await eventually("it is under way") { await client.node.counts.connecting == 1 }
      _ = try? await client.lua(work)
      await client.shutDown()
      // The dial's own task ends with the node.
      _ = try? await kind
      #expect(nodes.log.lines(with: "dial: shutdown").count == 1)
      try await eventually("the other side is free") { await server.node.counts.connecting == 0 }
    }
  }

  /// Puts an answer in line for every task that waits at `queue`, and ends the node before they have their turn.
  private static let endsWithAnswersInLine = """
    for _ = 1, node.state.waiting do queue:put("go on") end
    node:shut_down()
    local began = node:now() while node:now() - began < 0.02 do end
    """

  @Test func `Runs whose answers are in line at the end have one share of the turn between them`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        local queue
        return { init = function(node)
            queue = node:queue()
            node.state.waiting = 100
            for _ = 1, 100 do
              node:spawn(function()
                queue:get()
                print "goes on"
                local began = node:now() while node:now() - began < 0.005 do end
              end)
            end
          end,
          calls = { finish = function(node) \(Self.endsWithAnswersInLine) end } }
        """)
      _ = try? await node.call("finish")
      await node.shutDown()
      #expect((1...2).contains(nodes.log.lines(with: "goes on").count))
    }
  }

  @Test func `One of them that never ends does not keep the others from being told`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        local queue
        return { config = { script_time = "50ms" }, init = function(node)
            queue = node:queue()
            node.state.waiting = 1
            node:spawn(function() queue:get() print "goes on" while true do end end)
            for _ = 1, 8 do
              node:spawn(function() local _, e = pcall(node.sleep, node, "1h") print("told: " .. e.kind) end)
            end
          end,
          calls = { finish = function(node) \(Self.endsWithAnswersInLine) end } }
        """)
      _ = try? await node.call("finish")
      await node.shutDown()
      #expect(nodes.log.lines(with: "goes on").count == 1)
      #expect(nodes.log.lines(with: "told: shutdown").count == 8)
    }
  }

  @Test func `Tasks that never stop waiting cannot hold the node, however many, nor for as long as they may run`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        """
        return { config = { script_time = "1h" }, init = function(node)
          for i = 1, 100 do
            node:spawn(function() while true do pcall(node.sleep, node, "1h") end end)
          end
        end }
        """)
      await node.shutDown()
      #expect(await node.node.address == nil)
    }
  }

  @Test func `In order: on_shutdown, on_disconnect, then the port is free`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        return {
          on_shutdown = function(node) print("1 on_shutdown " .. node:counts().connected) end,
          on_disconnect = function(node, conn, reason) node:sleep("1ms") print("2 on_disconnect " .. reason.kind) end }
        """)
      let at = try await server.at
      let client = try await nodes.start("return {}")
      try await client.lua("assert(node:connect(...)) return nil", at)
      try await eventually("both have it") { await server.node.counts.connected == 1 }
      await server.shutDown()
      let told = nodes.log.lines.map(\.message).filter { $0.hasPrefix("1 ") || $0.hasPrefix("2 ") }
      #expect(told == ["1 on_shutdown 1", "2 on_disconnect shutdown"])
      let heir = try await nodes.start("return { config = { listen = 'none' } }")
      #expect(try await heir.lua("return (node:listen(...))", at) == at)
    }
  }
}
