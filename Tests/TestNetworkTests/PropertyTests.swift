import TestNetwork
import Testing

@Suite(.timeLimit(.minutes(5))) struct PropertyTests {
  @Test func `Properties that hold pass, and the looks are counted`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua")
      local n = 0
      net:always("small", function() n = n + 1 return n < 1000000 end)
      net:sometimes("three", function() return n >= 3 end)
      net:eventually("some looks", "50s", function() return n > 12 end)
      """)
    #expect(result.failure == nil)
    #expect(result.looks > 10)
  }

  @Test(arguments: ["crash", "shut_down", "restart"])
  func `A node that a property has found running is there until the look is over`(step: String) async throws {
    let result = try await runScenario(
      """
      local a, b = net:node("echo.lua"), net:node("echo.lua")
      local is_inside, looks = false, 0
      net:always("no errors", function()
        if not a.address then return true end
        is_inside = true
        b:eval("node:sleep('50ms')")
        is_inside, looks = false, looks + 1
        return a:heuristics().script_errors == 0
      end)
      -- What a handle does is no step, so nobody looks but the ticks.
      repeat b:eval("node:sleep('1ms')") until is_inside
      a:\(step)()
      net:expect(looks > 0)
      """)
    #expect(result.failure == nil)
  }

  @Test(arguments: ["crash", "shut_down"])
  func `Properties are looked at after a node has ended, and not only at the next tick`(step: String) async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua")
      net:always("it runs", function() return a.address ~= nil end)
      a:\(step)()
      a:restart()
      """)
    #expect(result.failure?.message == "always \"it runs\" does not hold")
    #expect(result.failure?.location?.hasSuffix("scenario.lua:4") == true)
  }

  @Test(arguments: ["restart", "reload"])
  func `A node that starts anew or has new code is looked at`(step: String) async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua")
      local looks = 0
      net:always("counted", function() looks = looks + 1 return true end)
      for _ = 1, 5 do
        local before = looks
        a:\(step)()
        net:expect(looks > before)
      end
      """)
    #expect(result.failure == nil)
  }

  @Test func `Two that restart the same node do it in turn`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua")
      -- Few: between two of its lives another test may be given the port.
      for _ = 1, 3 do net:at(0, function() for _ = 1, 2 do a:restart() end end) end
      a:crash()
      a:restart()
      """)
    #expect(result.failure == nil)
  }

  @Test func `A property that never comes back is named when the time is over`() async throws {
    let result = try await runScenario(
      """
      net:always("stuck", function() net:sleep("1h") end)
      net:sleep("1h")
      """, options: "timeout = '500ms'")
    #expect(result.failure?.message == "the scenario did not end within 0.5 s; always \"stuck\" is being looked at")
  }

  @Test func `A property may end a node itself`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua")
      net:always("gone", function() a:crash() return a.address == nil end)
      net:sleep("30ms")
      """)
    #expect(result.failure == nil)
  }

  @Test func `An always that breaks fails the scenario where it was declared, with its reason`() async throws {
    let result = try await runScenario(
      """
      local broken = false
      net:at("10ms", function() broken = true end)

      net:always("whole", function() return not broken, "it broke" end)
      net:sleep("1h")
      """)
    let failure = try #require(result.failure)
    #expect(failure.message == "always \"whole\" does not hold: it broke")
    #expect(failure.location?.hasSuffix("scenario.lua:6") == true)
  }

  @Test(arguments: [
    "while true do end", "net:always('x', function() while true do end end) net:sleep('1h')",
    "net:at('1ms', function() while true do end end) net:sleep('1h')",
  ])
  func `An endless loop ends the scenario, and says where it was`(body: String) async throws {
    let failure = try #require(try await runScenario(body).failure)
    #expect(failure.message == "ran longer than script_time without waiting")
    #expect(failure.location?.hasSuffix("scenario.lua:3") == true)
  }

  @Test(arguments: ["error('wrong')", "net:connect(net:nodes(2, 'echo.lua'), network.ring())", "net:nod()"])
  func `A mistake names its place once, and its traceback is the author's code`(body: String) async throws {
    let failure = try #require(try await runScenario(body).failure)
    #expect(!failure.message.contains("scenario.lua:3"))
    #expect(failure.location?.hasSuffix("scenario.lua:3") == true)
    let traceback = try #require(failure.traceback)
    #expect(traceback.hasPrefix("stack traceback:\n\t"))
    #expect(traceback.contains("scenario.lua:3: in") && !traceback.contains("moonpeer.") && !traceback.contains("in ?"))
  }

  @Test func `A sometimes that never holds fails at the end`() async throws {
    let result = try await runScenario(#"net:sometimes("never", function() return false end)"#)
    #expect(result.failure?.message.hasPrefix("sometimes \"never\" never held (") == true)
  }

  @Test func `An eventually that does not come true says how long it waited and the last reason`() async throws {
    let result = try await runScenario(
      #"net:eventually("moon", "20ms", function() return false, "still " .. 1 end)"#)
    #expect(result.failure?.message == "eventually \"moon\" did not hold within 0.02 s: still 1")
    #expect(result.failure?.location?.hasSuffix("scenario.lua:3") == true)
  }

  @Test func `What was put off with at runs before the scenario ends, and its failure is the scenario's`() async throws {
    let passed = try await runScenario(
      """
      local times = {}
      net:at(0, function() times[#times + 1] = "early" end)
      net:at("20ms", function() times[#times + 1] = "late" end)
      net:at("40ms", function() net:expect(table.concat(times, " ") == "early late", table.concat(times, " ")) end)
      """)
    #expect(passed.failure == nil)
    let failed = try await runScenario(
      """
      net:at("1ms", function() net:fail("put off, not forgotten") end)
      net:sleep("1h")
      """)
    #expect(failed.failure?.message == "put off, not forgotten")
  }

  @Test func `expect gives its value back and fail and expect name their line`() async throws {
    let result = try await runScenario(
      """
      local value = net:expect(42, "never")
      net:expect(value == 43, "not " .. value)
      """)
    #expect(result.failure?.message == "not 42")
    #expect(result.failure?.location?.hasSuffix("scenario.lua:4") == true)
  }
}
