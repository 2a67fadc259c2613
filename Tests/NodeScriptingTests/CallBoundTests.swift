import LuaHost
import NodeCore
import NodeScripting
import Testing

/// What calls between scripts may take: of the one that calls, of the one that is called, and of the process.
@Suite(.timeLimit(.minutes(5))) struct CallBoundTests {
  /// `wait` goes on with each `free`; `count` says how many have come.
  private let callee = """
    local count, gate = 0, nil
    return {
      init = function(node) gate = node:queue() end,
      calls = {
        wait = function(node, ...) count = count + 1 return gate:get() end,
        free = function() gate:put(true) end,
        count = function() return count end,
        size = function(_, text) return #text end,
        large = function(_, size) return ("x"):rep(size) end,
        again = function(node, other, n) return node:call(other, "again", node.name, n + 1) end,
        ping = function() return "pong" end,
      },
    }
    """

  /// What a call raises, as { kind, message }.
  private func refusal(_ node: ScriptedNode, _ code: String) async throws -> (kind: String, message: String) {
    let value = try await node.lua(
      "local ok, e = pcall(function() return \(code) end) return ok and { 'none', 'it was taken' } or { e.kind, e.message }")
    let texts = value.table?.array.compactMap(\.text) ?? []
    return try (#require(texts.first), #require(texts.last))
  }

  private func waiting(_ node: ScriptedNode, _ count: Int64) async throws {
    try await eventually("\(count) calls wait") { try await node.call("count").first == .integer(count) }
  }

  @Test(arguments: [true, false])
  func `Over max_calls of either side a call fails at once, and one that has ended makes room`(isCallers: Bool) async throws {
    try await withNodes { nodes in
      func bounded(_ options: inout ScriptOptions) { options.configuration = [("max_calls", .integer(2))] }
      let target = try await nodes.start(callee, name: "callee") { if !isCallers { bounded(&$0) } }
      let caller = try await nodes.start("return {}", name: "caller") { if isCallers { bounded(&$0) } }
      try await caller.lua(
        "for i = 1, 2 do node.state[i] = node:spawn(function() return node:call('callee', 'wait') end) end")
      try await waiting(target, 2)
      let error = try await refusal(caller, "node:call('callee', 'ping')")
      #expect(error.kind == "full")
      #expect(error.message.contains("2 calls \(isCallers ? "of caller" : "asked of callee") are under way"), "\(error)")
      // Swift is not bounded: it runs the node.
      _ = try await target.call("free")
      _ = try await target.call("free")
      try await caller.lua("node.state[1]:join() node.state[2]:join()")
      #expect(try await caller.lua("return node:call('callee', 'ping')") == "pong")
    }
  }

  @Test func `Results that are too much for the caller are an error of the call, and not the end of the run`() async throws {
    try await withNodes { nodes in
      _ = try await nodes.start(callee, name: "callee")
      let caller = try await nodes.start("return {}", name: "caller") { $0.configuration = [("script_memory", .string("2MiB"))] }
      let error = try await refusal(caller, "node:call('callee', 'large', 10 << 20)")
      #expect(error.kind == "too_large")
      #expect(error.message.contains("the results of calls of caller"), "\(error)")
      // What has arrived is let go of: far more than the room, one after the other.
      #expect(try await caller.lua("for i = 1, 20 do assert(#node:call('callee', 'large', 100000) == 100000) end return 1") == 1)
    }
  }

  @Test func `A call counts until it has ended, also where its caller has given up`() async throws {
    try await withNodes { nodes in
      let target = try await nodes.start(callee, name: "callee")
      let caller = try await nodes.start("return {}", name: "caller") { $0.configuration = [("max_calls", .integer(1))] }
      try await caller.lua("node.state.call = node:spawn(function() return node:call('callee', 'wait') end)")
      try await waiting(target, 1)
      try await caller.lua("node.state.call:cancel()")
      #expect(try await refusal(caller, "node:call('callee', 'ping')").kind == "full")
      _ = try await target.call("free")
      try await eventually("there is room again") {
        try await refusal(caller, "node:call('callee', 'ping')").kind == "none"
      }
    }
  }

  @Test(arguments: ["anna", "otto"])
  func `Calls that come back to where they began end with a clear error`(other: String) async throws {
    try await withNodes { nodes in
      let anna = try await nodes.start(callee, name: "anna")
      let otto = try await nodes.start(callee, name: "otto")
      let error = try await refusal(anna, "node:call('\(other)', 'again', 'anna', 1)")
      #expect(error.kind == "limit")
      #expect(error.message.contains("32 calls wait for each other already"), "\(error)")
      #expect(error.message.contains("\"again\""))
      for node in [anna, otto] { #expect(try await node.lua("return node:call('otto', 'ping')") == "pong") }
    }
  }

  @Test func `What calls carry is bounded by a quarter of either side's memory, and costs the caller alone`() async throws {
    try await withNodes { nodes in
      let target = try await nodes.start(callee, name: "callee") { $0.configuration = [("script_memory", .string("16MiB"))] }
      let large = try await nodes.start("return {}", name: "large")
      let small = try await nodes.start("return {}", name: "small") { $0.configuration = [("script_memory", .string("8MiB"))] }
      let text = "('x'):rep(3 << 20)"
      // Of its own accord a small caller cannot.
      let own = try await refusal(small, "node:call('callee', 'size', \(text))")
      #expect(own.kind == "too_large")
      #expect(own.message.contains("the arguments of calls of small may have: a quarter of its script_memory"), "\(own)")
      // A large one can, once: the rest of the callee's memory is for its connections.
      #expect(try await large.lua("return node:call('callee', 'size', \(text))") == .integer(3 << 20))
      try await large.lua("node.state.call = node:spawn(function() return node:call('callee', 'wait', \(text)) end)")
      try await waiting(target, 1)
      let second = try await refusal(large, "node:call('callee', 'size', \(text))")
      #expect(second.kind == "full")
      #expect(second.message.contains("the arguments of calls asked of callee may have together"), "\(second)")
      let over = try await refusal(large, "node:call('callee', 'size', ('x'):rep(5 << 20))")
      #expect(over.kind == "too_large")
      _ = try await target.call("free")
      try await large.lua("node.state.call:join()")
      #expect(try await large.lua("return node:call('callee', 'size', \(text))") == .integer(3 << 20))
      #expect(try await target.lua("return node:heuristics().budget_kills") == 0)
    }
  }

  @Test func `Results are bounded too, and what has arrived makes room`() async throws {
    try await withNodes { nodes in
      _ = try await nodes.start(callee, name: "callee") { $0.configuration = [("script_memory", .string("16MiB"))] }
      let caller = try await nodes.start("return {}", name: "caller")
      let error = try await refusal(caller, "node:call('callee', 'large', 5 << 20)")
      #expect(error.kind == "too_large")
      #expect(error.message.contains("the results of calls asked of callee"), "\(error)")
      for _ in 0..<8 {
        try await eventually("the last ones are let go of") {
          try await refusal(caller, "#node:call('callee', 'large', 3 << 20)").kind == "none"
        }
      }
    }
  }

  @Test func `A script without a limit of its memory has none for what its calls carry`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(callee, name: "own") { $0.configuration = [("script_memory", .integer(0))] }
      #expect(try await node.lua("return node:call('own', 'size', ('x'):rep(20 << 20))") == .integer(20 << 20))
    }
  }
}
