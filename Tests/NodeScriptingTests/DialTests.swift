import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// `node:connect`: a live connection, or nil and an error whose kind says why.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct DialTests {
  private let kind = "local conn, problem = node:connect(...) return conn and 'connected' or problem.kind"

  @Test func `A dial gives a live connection with all its fields`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start("return {}")
      let fields = try await client.lua(
        """
        local conn = assert(node:connect(...))
        return { address = conn.address, side = conn.side, id = math.type(conn.id), own = conn.local_address,
          state = type(conn.state), peer = conn.peer, text = tostring(conn) }
        """, server.at)
      let at = try await server.at
      #expect(fields.table?["address"] == at)
      #expect(fields.table?["side"] == "initiator")
      #expect(fields.table?["id"] == "integer")
      #expect(fields.table?["own"].text?.hasPrefix("127.0.0.1:") == true)
      #expect(fields.table?["state"] == "table")
      #expect(fields.table?["peer"] == .nil)
      #expect(fields.table?["text"].text?.contains("initiator \(at)") == true)
      try await eventually("the responder has it") {
        try await server.lua("return #node:connections() == 1 and node:connections()[1].side") == "responder"
      }
    }
  }

  @Test func `Nobody listens: refused`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let at = try await server.at
      await server.shutDown()
      let client = try await nodes.start("return {}")
      #expect(try await client.lua(kind, at) == "refused")
    }
  }

  @Test func `A name without an address: resolve`() async throws {
    try await withNodes { nodes in
      let client = try await nodes.start("return {}")
      #expect(try await client.lua(kind, "no-such-host.invalid:80") == "resolve")
    }
  }

  @Test func `The node's own address: self`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      #expect(try await node.lua("local _, e = node:connect(node.address) return e.kind") == "self")
    }
  }

  @Test func `A second dial to one address: duplicate`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start("return {}")
      #expect(try await client.lua(kind, server.at) == "connected")
      #expect(try await client.lua(kind, server.at) == "duplicate")
    }
  }

  @Test func `Over max_connections: limit, and counted`() async throws {
    try await withNodes { nodes in
      let first = try await nodes.start("return {}")
      let second = try await nodes.start("return {}")
      let client = try await nodes.start("return { config = { max_connections = 1 } }")
      #expect(try await client.lua(kind, first.at) == "connected")
      #expect(try await client.lua(kind, second.at) == "limit")
      #expect(try await client.lua("return node:heuristics().dials_refused") == 1)
    }
  }

  @Test func `The peer's handshake never ends: timeout`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        "return { config = { handshake_timeout = '20ms' }, handshake = function(_, conn) conn:read(1) end }")
      #expect(try await client.lua(kind, server.at) == "timeout")
      #expect(try await client.lua("return node:heuristics().handshake_timeouts") == 1)
      #expect(try await client.lua("return node:counts().connecting") == 0)
    }
  }

  @Test func `Nothing answers within the dial's own timeout: timeout`() async throws {
    try await withNodes { nodes in
      // A listener with room for one set-up lets further ones wait in the kernel: their TCP connect still succeeds, so
      // what times out is a full backlog.
      let client = try await nodes.start("return {}")
      let outcome = try await client.lua("local _, e = node:connect('192.0.2.1:9', { timeout = '20ms' }) return e.kind")
      // Without a route to TEST-NET-1 the kernel refuses at once.
      #expect(outcome == "timeout" || outcome == "refused")
    }
  }

  @Test func `The handshake raises: handshake, with its words and place`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start("return { handshake = function() error 'no thanks' end }", file: "shy.lua")
      let error = try await client.lua("local _, e = node:connect(...) return { e.kind, e.message, e.peer }", server.at)
      let at = try await server.at
      #expect(error.table?.array.first == "handshake")
      #expect(error.table?.array[1].text?.contains("shy.lua:1: in handshake (peer \(at)): no thanks") == true)
      #expect(error.table?.array.last == at)
    }
  }

  @Test func `The peer leaves in the handshake: handshake`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return { handshake = function() error 'go away' end }")
      let client = try await nodes.start("return { handshake = function(_, conn) conn:read(4) end }")
      #expect(try await client.lua(kind, server.at) == "handshake")
      #expect(try await client.lua("return node:counts().connecting") == 0)
      try await eventually("its slot is free") { try await server.lua("return node:counts().connecting") == 0 }
    }
  }

  @Test func `A node that shuts down: shutdown`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        return { args = { to = "" }, on_shutdown = function(node)
          local conn, problem = node:connect(node.args.to)
          print("dial: " .. (conn and "connected" or problem.kind))
        end }
        """
      ) { [at = try await server.at] in $0.arguments["to"] = at }
      await client.shutDown()
      #expect(nodes.log.lines(with: "dial: shutdown").count == 1)
    }
  }

  @Test func `Options are checked, and a wrong address says what one looks like`() async throws {
    try await withNodes { nodes in
      let client = try await nodes.start("return {}")
      let cases = [
        ("node:connect('127.0.0.1:1', { timout = 1 })", "unknown option \"timout\"; did you mean \"timeout\"?"),
        ("node:connect('127.0.0.1:1', { timeout = 'soon' })", "timeout"),
        ("node:connect('127.0.0.1:1', { reuse_port = 1 })", "reuse_port must be a boolean, got integer 1"),
        ("node:connect('127.0.0.1:1', { local_address = 5 })", "local_address must be a string, got integer 5"),
        ("node:connect(5)", "an address such as \"127.0.0.1:4000\" is expected, got integer 5"),
        ("node:connect('nowhere')", "nowhere"),
        ("node.connect('127.0.0.1:1')", "call it with a colon, on the node"),
      ]
      for (code, words) in cases {
        let error = await failure { try await client.lua("local _ = " + code) }
        #expect(error?.message.contains(words) == true, "\(code): \(error?.description ?? "no error")")
        #expect(error?.location?.hasPrefix("(code):1") == true, "\(code): \(error?.description ?? "no error")")
      }
    }
  }

  @Test func `A dial can leave from a chosen local address`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start("return {}")
      let own = try await client.lua(
        "return assert(node:connect(..., { local_address = '127.0.0.2:0', timeout = '5s' })).local_address", server.at)
      #expect(own.text?.hasPrefix("127.0.0.2:") == true)
    }
  }
}
