import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

private let lines = "require 'moonpeer.codec'.lines()"

/// `node`: its fields and what it can be asked.
@Suite(.timeLimit(.minutes(5))) struct NodeHandleTests {
  @Test(arguments: ["name", "id", "args", "config", "address"])
  func `A field can be read and not set`(field: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}", name: "anna")
      #expect(try await node.lua("return node.\(field) ~= nil") == true)
      let error = await failure { try await node.lua("node.\(field) = 5") }
      #expect(error?.message == "node.\(field) can only be read")
      #expect(error?.location == "(code):1")
    }
  }

  @Test func `State is a table, may be replaced by one, and is where a script keeps things`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      #expect(try await node.lua("node.state.a = 1 node.state = { b = node.state.a + 1 } return node.state.b") == 2)
      let number = await failure { try await node.lua("node.state = 5") }
      #expect(number?.message == "node.state must be a table, got integer 5")
      let other = await failure { try await node.lua("node.peers = {}") }
      #expect(other?.message == "node.peers cannot be set: keep it in node.state, node.state.peers = …")
    }
  }

  @Test func `A name the node does not have is an error with the nearest one`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      let error = await failure { try await node.lua("local x = node:conect('127.0.0.1:1')") }
      #expect(error?.message == "the node has no \"conect\"; did you mean \"connect\"?")
    }
  }

  @Test func `A counter there is none of is an error with the nearest one`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      #expect(try await node.lua("return node:stats().messages_sent + node:heuristics().script_errors") == 0)
      let stats = await failure { try await node.lua("local s = node:stats() return s.mesages_sent") }
      #expect(stats?.message == "node:stats() has no \"mesages_sent\"; did you mean \"messages_sent\"?")
      #expect(stats?.location == "(code):1")
      let heuristics = await failure { try await node.lua("return node:heuristics().script_error") }
      #expect(heuristics?.message.hasPrefix("node:heuristics() has no \"script_error\"") == true)
      let other = try await nodes.start("return {}")
      let conn = await failure { try await other.lua("return assert(node:connect(...)):stats().bytes", node.at) }
      #expect(conn?.message.hasPrefix("conn:stats() has no \"bytes\"") == true, "\(String(describing: conn))")
    }
  }

  @Test func `Listening starts and stops while connections stay`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return { config = { listen = 'none' }, codec = \(lines) }")
      #expect(try await server.lua("return node.address") == .nil)
      let at = try await server.lua("return assert(node:listen('127.0.0.1:0'))")
      #expect(try await server.lua("return node.address") == at)
      let client = try await nodes.start("return { codec = \(lines) }")
      try await client.lua("node.state.conn = assert(node:connect(...))", at)
      try await eventually("both have it") { await server.node.counts.connected == 1 }
      #expect(try await server.lua("return node:stop_listening()") == true)
      #expect(try await server.lua("return node.address") == .nil)
      #expect(
        try await client.lua("local _, e = node:connect(..., { local_address = '127.0.0.2:0' }) return e.kind", at) == "duplicate"
      )
      try await client.lua("node.state.conn:send 'still here'")
      #expect(try await server.lua("return node:connections()[1]:receive('5s')") == "still here")
      let second = try await nodes.start("return {}")
      #expect(try await second.lua("local _, e = node:connect(...) return e.kind", at) == "refused")
    }
  }

  @Test func `Listening where somebody listens is an error that says so`() async throws {
    try await withNodes { nodes in
      let first = try await nodes.start("return {}")
      let second = try await nodes.start("return {}")
      let problem = try await second.lua("local _, e = node:listen(...) return e.kind .. ': ' .. e.message", first.at)
      #expect(problem.text?.hasPrefix("address_in_use: cannot listen on 127.0.0.1:") == true)
      #expect(problem.text?.contains("choose another port") == true)
    }
  }

  @Test func `Connections are listed in order, found by address and counted`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let other = try await nodes.start("return {}")
      let client = try await nodes.start("return {}")
      let found = try await client.lua(
        """
        local first, second = assert(node:connect((...))), assert(node:connect((select(2, ...))))
        local list = node:connections()
        return { #list, list[1] == first, list[2] == second, node:connection(first.address) == first,
          node:is_connected(second.address), node:is_connected("127.0.0.1:1"), node:connection("127.0.0.1:1") == nil,
          node:counts().connected, node:counts().connecting, first.id < second.id }
        """, server.at, other.at)
      #expect(found == [2, true, true, true, true, false, true, 2, 0, true])
      let wrong = await failure { try await client.lua("local x = node:is_connected('nowhere')") }
      #expect(wrong?.message.contains("nowhere") == true)
    }
  }

  @Test func `Disconnecting waits for on_disconnect, by address or by conn`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        return { on_disconnect = function(node, conn, reason)
          node.state.during = node:is_connected(conn.address)
          node:sleep("5ms")
          node.state.ended = (node.state.ended or 0) + 1
        end }
        """)
      let outcome = try await client.lua(
        """
        local list = {}
        local function add(value) list[#list + 1] = value end
        assert(node:connect(...))
        add(node:disconnect(...)) add(node.state.ended) add(node.state.during)
        add(node:is_connected(...)) add(node:disconnect(...))
        local conn = assert(node:connect(...))
        add(node:disconnect(conn)) add(node.state.ended) add(node:disconnect(conn))
        return list
        """, server.at)
      #expect(outcome == [true, 1, false, false, false, true, 2, false])
    }
  }

  @Test func `A second disconnect waits for the same on_disconnect`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let client = try await nodes.start(
        """
        return { init = function(node) node.state.gate = node:queue() end,
          on_disconnect = function(node) node.state.gate:get() node.state.ended = true end }
        """)
      let outcome = try await client.lua(
        """
        local conn = assert(node:connect(...))
        local first = node:spawn(function() return node:disconnect(conn) end)
        local second = node:spawn(function() return node:disconnect(conn.address), node.state.ended end)
        node:sleep(0)
        node.state.gate:put(true)
        return { first:join(), second:join() }
        """, server.at)
      #expect(outcome == [true, false, true])
    }
  }

  @Test func `Sending by address is as sending on the connection`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        "return { codec = \(lines), process_message = function(node, _, m) node.state.got = m end }")
      let client = try await nodes.start("return { codec = \(lines) }")
      #expect(
        try await client.lua("assert(node:connect(...)) return node:send(..., 'by address')", server.at) == true)
      try await eventually("it arrives") { try await server.lua("return node.state.got") == "by address" }
      #expect(try await client.evaluate("return node:send('127.0.0.1:1', 'x')") == [.nil, "closed"])
    }
  }

  @Test func `Statistics and heuristics are tables of counters`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return { codec = \(lines), process_message = function() end }")
      let client = try await nodes.start("return { codec = \(lines) }")
      try await client.lua("local conn = assert(node:connect(...)) conn:send 'four' conn:send 'five!' conn:flush()", server.at)
      #expect(try await client.lua("local s = node:stats() return { s.messages_sent, s.bytes_sent }") == [2, 9])
      try await eventually("both are received") {
        try await server.lua("local s = node:stats() return { s.messages_received, s.bytes_received }") == [2, 9]
      }
      #expect(try await server.lua("return node:stats().created_at > 1e9") == true)
      #expect(
        try await server.lua("local n = 0 for _, v in pairs(node:heuristics()) do assert(v == 0) n = n + 1 end return n")
          == LuaValue.integer(Int64(Heuristics.names.count)))
    }
  }

  @Test func `The clock runs and random numbers keep to their bounds`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return {}")
      #expect(
        try await node.lua(
          """
          local before = node:now()
          node:sleep("2ms")
          assert(node:now() - before >= 0.002)
          for _ = 1, 500 do
            local a, b, c = node:random(), node:random(3), node:random(-2, 2)
            assert(a >= 0 and a < 1 and b >= 1 and b <= 3 and c >= -2 and c <= 2)
            assert(math.type(b) == "integer")
          end
          return node:random(7, 7)
          """) == 7)
      let error = await failure { try await node.lua("local x = node:random(2, 1)") }
      #expect(error?.message == "node:random: there is nothing from 2 to 1")
    }
  }

  @Test func `A handle is no plain data`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let node = try await nodes.start("return {}")
      let cases = [
        ("node", "the value is a node"), ("{ it = node }", "it is a node"), ("node.config", "the value is a node.config"),
        ("{ assert(node:connect('\(try await server.at)')) }", "[1] is a conn"),
        ("node:queue()", "the value is a queue"), ("node:spawn(function() end)", "the value is a task"),
      ]
      for (code, words) in cases {
        let error = await failure { try await node.lua("return \(code)") }
        #expect(error?.message == "result 1: \(words), not plain data", "\(code)")
      }
    }
  }
}
