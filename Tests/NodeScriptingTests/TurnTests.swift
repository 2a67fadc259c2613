import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// A crowd of runs that each use up their budget, or a flood of messages, and whoever shares the thread with them.
///
/// What is compared was counted on that thread: no other one needs to run soon.
@Suite(.serialized, .timeLimit(.minutes(5))) struct TurnTests {
  enum Loop: CaseIterable { case epoll, nio }

  /// Three nodes on one loop: one does what `crowd` says for the message "go", the others answer.
  private func withNeighbours(
    on loop: Loop, _ crowd: String,
    _ body: (_ busy: ScriptedNode, _ other: ScriptedNode, _ third: ScriptedNode) async throws -> Void
  ) async throws {
    let epoll = EpollLoops(count: 1)
    // All on its one loop.
    let environment: NodeEnvironment = loop == .nio ? .sockets(.nio, logger: .quiet) : .sockets(on: epoll, logger: .quiet)
    let directory = NodeDirectory()
    var nodes: [ScriptedNode] = []
    func start(_ name: String, _ text: String) async throws -> ScriptedNode {
      var options = ScriptOptions()
      options.name = name
      let node = try await ScriptedNode.load(
        ScriptSource(name: "test.lua", text: text), options: options, environment: environment, directory: directory)
      nodes.append(node)
      try await node.start()
      return node
    }
    func end() async {
      for node in nodes { await node.shutDown() }
      await epoll.shutDown()
    }
    do {
      let busy = try await start(
        "busy",
        """
        local function forever() while true do end end
        return { codec = require "moonpeer.codec".lines(), config = { script_time = "50ms" },
          calls = { forever = forever },
          process_message = function(node, conn, m)
            if m == "go" then \(crowd) end
            conn:send(tostring(node:heuristics().budget_kills))
          end }
        """)
      let echo = """
        return { codec = require "moonpeer.codec".lines(), process_message = function(node, conn, m) conn:send(m) end }
        """
      try await body(busy, start("other", echo), start("third", echo))
    } catch {
      await end()
      throw error
    }
    await end()
  }

  private static let spawning = "for i = 1, 60 do node:spawn(forever) end"
  private static let crowds = [
    spawning, "for i = 1, 60 do node:every(0.001, forever) end",
    "for i = 1, 60 do node:spawn(function() node:sleep(0.001) forever() end) end",
  ]

  /// Sets the crowd going, speaks with the third node five times, and asks how many of the crowd were ended meanwhile.
  private static let measure = """
    local busy, third = assert(node:connect((...))), assert(node:connect((select(2, ...))))
    busy:request "go"
    for i = 1, 5 do assert(third:request("round " .. i) == "round " .. i) end
    return tonumber((busy:request "kills"))
    """

  @Test(arguments: Loop.allCases, crowds)
  func `They share the loop's turns with the other nodes on it, and with their node's messages`(
    loop: Loop, crowd: String
  ) async throws {
    try await withNeighbours(on: loop, crowd) { busy, other, third in
      // Each step needs a turn or two of the loop, in which one run may be ended: the crowd would have been through otherwise.
      let kills = try #require(try await other.lua(Self.measure, busy.at, third.at).int)
      #expect(kills < 50)
    }
  }

  @Test(arguments: Loop.allCases) func `Calls of other scripts wait for their turn, too`(loop: Loop) async throws {
    try await withNeighbours(on: loop, "") { busy, other, third in
      let calls = "for i = 1, 60 do node:spawn(function() pcall(node.call, node, 'busy', 'forever') end) end node:sleep(0) "
      let kills = try #require(try await other.lua(calls + Self.measure, busy.at, third.at).int)
      #expect(kills < 50)
      try await eventually("each had its turn") { await busy.node.heuristics().budgetKills == 60 }
    }
  }

  @Test(arguments: Loop.allCases)
  func `What has not started when the node shuts down does not start`(loop: Loop) async throws {
    // All of them would take more than a minute.
    try await withNeighbours(on: loop, "for i = 1, 2000 do node:spawn(forever) end") { busy, other, _ in
      _ = try await other.lua("return assert(node:connect(...)):request 'go'", busy.at)
      let waiting = Task { try await busy.call("forever") }
      await busy.shutDown()
      #expect(await busy.node.heuristics().budgetKills < 1000)
      await #expect(throws: ScriptError.self) { try await waiting.value }
    }
  }

  @Test(arguments: Loop.allCases)
  func `All of a crowd come to their turn, in the order they were started in`(loop: Loop) async throws {
    let crowd = """
      node.state.order = {}
      for i = 1, 40 do
        node:spawn(function()
          if i == 3 then forever() end
          local t = node:now() while node:now() - t < 0.002 do end
          table.insert(node.state.order, i)
        end)
      end
      """
    try await withNeighbours(on: loop, crowd) { busy, other, _ in
      _ = try await other.lua("return assert(node:connect(...)):request 'go'", busy.at)
      try await eventually("all but one came to their end") { try await busy.lua("return #node.state.order == 39") == true }
      let expected = (1...40).filter { $0 != 3 }.map(String.init).joined(separator: " ")
      #expect(try await busy.lua("return table.concat(node.state.order, ' ')").text == expected)
    }
  }

  private static let codecs = [
    "codec.length_prefixed { width = 1 }",
    """
    codec.framed { header = 1, size = function(h) return h:byte() + 1 end, decode = function(f) return f:sub(2) end,
      encode = function(m) return string.char(#m) .. m end }
    """,
    """
    codec.custom { decode = function(b)
        local n = b:u8(1)
        if #b < n + 1 then return nil, n + 1 end
        return b:bytes(2, n), n + 1
      end, encode = function(m) return string.char(#m) .. m end }
    """,
  ]

  /// Thousands of messages in one read, of 1 ms each until somebody else was answered three times.
  @Test(.onEveryBackend, arguments: codecs)
  func `A peer that floods gives way to others, and nothing of it is lost or out of order`(codec: String) async throws {
    let count = 8000
    let text = script(
      """
      codec = \(codec), config = { script_time = "100ms" },
      init = function(node) node.state.seen, node.state.order = 0, true end,
      process_message = function(node, conn, m)
        local state = node.state
        if m == "?" then
          if state.seen > 0 then state.asked = (state.asked or 0) + 1 end
          if state.asked == 3 then state.answered = state.seen end
          return conn:send("!")
        end
        state.order = state.order and tonumber(m) == state.seen + 1
        state.seen = tonumber(m)
        local t = node:now() while not state.answered and node:now() - t < 0.001 do end
      end,
      on_disconnect = function(node, conn, reason) node.state.ended = node.state.ended or reason.kind end,
      """)
    try await withNode(text, logger: .quiet) { node in
      let asking = """
        local codec = require "moonpeer.codec"
        return { codec = \(codec), process_message = function() end, calls = { ask = function(node, address)
          local conn = assert(node:connect(address))
          node:spawn(function() while conn:request "?" == "!" do node:sleep(0.001) end end)
        end } }
        """
      try await withNode(asking, logger: .quiet) { other in
        _ = try await other.call("ask", [node.at])
        let flood = try RawClient(try #require(await node.node.address))
        try await flood.write((1...count).flatMap { [UInt8("\($0)".utf8.count)] + Array("\($0)".utf8) })
        flood.endWriting()
        try await eventually("all of it is handled") { try await node.lua("return node.state.ended ~= nil") == true }
        let outcome = try await node.lua("return { node.state.seen, node.state.order, node.state.ended }")
        #expect(outcome == [.integer(Int64(count)), true, "eof"])
        let answered = try #require(try await node.lua("return node.state.answered").int)
        #expect(answered < count, "the others waited until all of the flood was handled")
      }
    }
  }
}
