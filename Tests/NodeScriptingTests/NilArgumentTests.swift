import Testing

/// A nil is an argument like any other, wherever a function's arguments or results are handed on.
@Suite(.timeLimit(.minutes(5))) struct NilArgumentTests {
  @Test(arguments: ["nil", "1, nil", "nil, 1", "nil, nil, nil", "1, nil, 2", "false, nil", "nil, {}"])
  func `Nils reach a task, a timed run and a call, and come back from them`(arguments: String) async throws {
    try await withNodes { nodes in
      let node = try await nodes.start(
        "return { calls = { echo = function(_, ...) return ... end, same = function(_, ...) return ... end } }", name: "own")
      try await node.lua(
        """
        local given = table.pack(\(arguments))
        local function same(what, got)
          assert(got.n == given.n, what .. ": " .. got.n .. " values")
          for i = 1, got.n do assert(type(got[i]) == type(given[i]), what .. ": value " .. i) end
        end
        local function echo(...) return ... end
        same("spawn", table.pack(node:spawn(echo, \(arguments)):join()))
        same("timeout", table.pack(node:timeout("1m", echo, \(arguments))))
        same("call", table.pack(node:call("own", "echo", \(arguments))))
        local seen
        node:all(function() seen = table.pack(echo(\(arguments))) return \(arguments) end)
        same("all", seen)
        same("any", table.pack(node:any(function() return \(arguments) end)))
        """)
    }
  }
}
