import TestNetwork
import Testing

@Suite(.timeLimit(.minutes(5))) struct TopologyScenarioTests {
  @Test(arguments: [
    ("line()", 6, 5), ("ring()", 6, 6), ("mesh()", 6, 15), ("star()", 6, 5), ("grid { width = 3, height = 2 }", 6, 7),
    ("tree()", 6, 5), ("tree { branching = 3 }", 6, 5), ("random { degree = 3, seed = 4 }", 6, 9),
  ])
  func `A topology stands with its number of connections`(topology: String, count: Int, connections: Int) async throws {
    let result = try await runScenario(
      """
      local nodes = net:nodes(\(count), "echo.lua")
      local made = net:connect(nodes, network.\(topology))
      net:expect(made == \(connections), "made " .. made)
      local ends = 0
      for _, node in ipairs(nodes) do ends = ends + #node:connections() end
      net:expect(ends == 2 * \(connections), "ends " .. ends)
      """)
    #expect(result.failure == nil)
  }

  @Test(arguments: [
    ("ring()", 2, "a ring needs at least 3 nodes, got 2"), ("line()", 1, "a line needs at least 2 nodes, got 1"),
    ("grid { width = 2, height = 2 }", 3, "a grid of 2 × 2 needs width × height nodes, got 3"),
    ("random { degree = 5, seed = 1 }", 4, "a degree of 5 is too high for 4 nodes"),
    ("tree { branching = 0 }", 3, "branching must be at least 1"),
    ("grid { width = 2 }", 3, "network.grid: height must be an integer"),
    ("random { degre = 3 }", 3, "unknown option \"degre\"; did you mean \"degree\"?"),
  ])
  func `A topology that cannot be formed is refused with the reason`(topology: String, count: Int, reason: String) async throws {
    let result = try await runScenario(
      """
      local nodes = net:nodes(\(count), "echo.lua")
      net:connect(nodes, network.\(topology))
      """)
    let failure = try #require(result.failure)
    #expect(failure.message.contains(reason))
    #expect(failure.location?.hasSuffix("scenario.lua:4") == true)
  }

  @Test func `Connecting twice names the pair that is connected already`() async throws {
    let result = try await runScenario(
      """
      local nodes = net:nodes(2, "echo.lua")
      net:connect(nodes, network.line())
      net:connect(nodes, network.line())
      """)
    let message = try #require(result.failure?.message)
    #expect(message.contains("echo-1 could not connect to echo-2") || message.contains("could not connect"))
    #expect(message.contains("already"))
  }
}
