import LuaHost
import NodeCore
import NodeEngine
import Testing

@testable import NodeScripting

/// Connections that a reload leaves where they are: in a session, in their handshake, at their end.
@Suite(.onEveryBackend, .timeLimit(.minutes(2))) struct ReloadStayingTests {
  @Test func `A connection in a session ends under its own code, which lives as long`() async throws {
    try await withNodes { nodes in
      func text(_ voice: String) -> String {
        """
        local codec = require "moonpeer.codec"
        return { codec = codec.lines(), config = { probation = 0 }, session = function(node, conn)
          local helper = node:spawn(function() while true do node:sleep(0.001) end end)
          for message in function() return conn:receive() end do
            conn:send(message .. " \(voice) " .. tostring(helper.status ~= "cancelled"))
            if message == "bye" then return end
          end
        end }
        """
      }
      let node = try await nodes.start(text("old"))
      let peer = try await LinePeer(node)
      #expect(try await peer.ask("a") == "a old true")
      let runtime = Weak(node.hooks.value.runtime)
      let report = try await node.reload(text: text("new"))
      #expect(report.moved == 0)
      #expect(report.left == 1)
      let other = try await LinePeer(node)
      #expect(try await other.ask("b") == "b new true")
      #expect(try await peer.ask("c") == "c old true")
      #expect(await node.generations().map { [$0.number, $0.connections] } == [[1, 1], [2, 1]])
      #expect(try await node.lua("return #node:connections()") == 1)
      #expect(await node.node.counts.connected == 2)
      #expect(try await peer.ask("bye") == "bye old true")
      try await eventually("the old code is gone") { await node.generations().map(\.number) == [2] && runtime.isGone }
      #expect(try await other.ask("d") == "d new true")
    }
  }

  @Test func `A handshake under way ends under its own code, and its connection goes on with the new one`() async throws {
    try await withNodes { nodes in
      func text(_ voice: String) -> String {
        answering(
          voice,
          """
          config = { probation = 0 },
          handshake = function(node, conn)
            conn:write("hello from \(voice)\\n")
            conn.state.name = conn:read_until("\\n")
            return conn.state.name
          end,
          on_connect = function(node, conn) node.state.greeted = (node.state.greeted or "") .. conn.state.name .. " \(voice)" end,
          """)
      }
      let node = try await nodes.start(text("old"))
      let peer = try await LinePeer(node)
      #expect(try await peer.line() == "hello from old")
      let report = try await node.reload(text: text("new"))
      #expect(report.left == 1)
      try await peer.send("Ada")
      #expect(try await peer.ask("a") == "a new")
      #expect(try await node.lua("return node.state.greeted") == "Ada new")
      #expect(await node.node.connections().first?.peer == "Ada")
      try await eventually("the old code is gone") { await node.generations().map(\.number) == [2] }
    }
  }

  @Test func `A connection whose handshake left what cannot move stays with its code, and that is said`() async throws {
    try await withNodes { nodes in
      func text(_ voice: String) -> String {
        answering(
          voice,
          "config = { probation = 0 }, handshake = function(node, conn) conn.state.f = print conn:read_until('\\n') end,")
      }
      let node = try await nodes.start(text("old"))
      let peer = try await LinePeer(node)
      try await eventually("it is being set up") { await node.node.counts.connecting == 1 }
      try await node.reload(text: text("new"))
      try await peer.send("hello")
      #expect(try await peer.ask("a") == "a old")
      let warnings = nodes.log.lines(with: "a connection stays with generation 1 until it ends")
      #expect(warnings.count == 1)
      let id = try #require(await node.node.connections().first?.id)
      #expect(warnings.first?.metadata["conn"] == "\(id)", "\(warnings)")
      #expect(await node.generations().map { [$0.number, $0.connections] } == [[1, 1], [2, 0]])
      peer.client.close()
      try await eventually("the old code is gone") { await node.generations().map(\.number) == [2] }
    }
  }

  @Test func `Streams that the old code opened are closed with it`() async throws {
    try await withNodes { nodes in
      let other = try await nodes.start(answering("other"))
      let text = """
        return { config = { probation = 0 }, calls = { open = function(node, at) node.state.id = assert(node:open(at)).id end } }
        """
      let node = try await nodes.start(text)
      _ = try await node.call("open", [other.at])
      try await eventually("it is there") { await other.node.counts.connected == 1 }
      try await node.reload(text: text)
      try await eventually("it is gone") { await other.node.counts.connected == 0 }
      try await eventually("the old code too") { await node.generations().map(\.number) == [2] }
      #expect(await node.node.counts.connected == 0)
    }
  }

  @Test func `An on_disconnect under way ends under its own code, once`() async throws {
    try await withNodes { nodes in
      func text(_ voice: String) -> String {
        answering(
          voice,
          """
          config = { probation = 0 },
          on_disconnect = function(node) print "begins \(voice)" node:sleep("30ms") print "ends \(voice)" end,
          """)
      }
      let node = try await nodes.start(text("old"))
      do {
        let peer = try await LinePeer(node)
        _ = try await peer.ask("a")
      }
      try await eventually("it has begun") { nodes.log.lines(with: "begins old").count == 1 }
      let report = try await node.reload(text: text("new"))
      #expect(report.moved == 0)
      try await eventually("it is over") { nodes.log.lines(with: "ends old").count == 1 }
      try await eventually("the old code is gone") { await node.generations().map(\.number) == [2] }
      #expect(nodes.log.lines(with: "begins new").isEmpty)
      #expect(await node.node.counts.connected == 0)
    }
  }
}
