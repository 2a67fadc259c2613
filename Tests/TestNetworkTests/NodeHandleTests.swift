import Foundation
import TestNetwork
import Testing

@Suite(.timeLimit(.minutes(5))) struct NodeHandleTests {
  @Test func `A handle calls, evaluates and counts`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua", { name = "anna", greeting = "good day", max_connections = 7 })
      local b = net:node("echo.lua")
      net:connect({ a, b }, network.line())
      net:expect(a.name == "anna" and a:call("name") == "anna")
      net:expect(a:call("greeting") == "good day" and b:call("greeting") == "hello")
      net:expect(a:eval("return node.config.max_connections") == 7)
      net:expect(a:eval("local x, y = ... return x + y", 2, 3) == 5)
      net:expect(a:call("broadcast", "hi") == 1)
      net:eventually("heard", "5s", function() return b:call("heard") == 1 end)
      net:expect(a:stats().messages_sent == 1 and b:stats().messages_received == 1)
      net:expect(b:heuristics().script_errors == 0)
      net:expect(a:connections()[1].side == "initiator" and b:connections()[1].side == "responder")
      net:expect(a:connections()[1].address == b.address)
      net:expect(tostring(a) == "node anna")
      """)
    #expect(result.failure == nil)
  }

  @Test func `A scenario says which Unix sockets its nodes may use`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua", { listen = "unix:./\(UUID().uuidString.prefix(8)).sock" })
      local b = net:node("echo.lua", { listen = "none" })
      local c = net:node("echo.lua", { listen = "none", unix_sockets = "." })
      local d = net:node("echo.lua", { listen = "none", unix_sockets = { "/nowhere", a.address:sub(6) } })
      local dial = "local conn, problem = node:connect(...) return conn and 'live' or problem.kind"
      net:expect(b:eval(dial, a.address) == "not_allowed")
      net:expect(c:eval(dial, a.address) == "live")
      net:expect(d:eval(dial, a.address) == "live")
      """)
    #expect(result.failure == nil)
  }

  @Test func `A crash is seen by the other side and a restart listens on the same address with an empty state`() async throws {
    let result = try await runScenario(
      """
      local nodes = net:nodes(2, "echo.lua")
      local a, b = nodes[1], nodes[2]
      net:connect(nodes, network.line())
      a:call("broadcast", "hi")
      net:eventually("heard", "5s", function() return b:call("heard") == 1 end)
      local address = b.address
      net:expect(b:crash() == true)
      net:expect(b:crash() == false and b.address == nil)
      net:eventually("seen", "5s", function() return #a:connections() == 0 end)
      local ok, problem = pcall(b.call, b, "heard")
      net:expect(not ok and problem.kind == "stopped" and problem.message:find("restart it first", 1, true))
      b:restart()
      net:expect(b.address == address and b:call("heard") == 0)
      net:connect(nodes, network.line())
      a:call("broadcast", "again")
      net:eventually("heard again", "5s", function() return b:call("heard") == 1 end)
      """)
    #expect(result.failure == nil)
  }

  @Test func `A reload gives a node other code, keeps its state and its connections, and a restart starts that code`()
    async throws
  {
    let result = try await runScenario(
      """
      local nodes = net:nodes(2, "echo.lua")
      local a, b = nodes[1], nodes[2]
      net:connect(nodes, network.line())
      b:eval("node.state.kept = 'kept'")
      local report = b:reload()
      net:expect(report.generation == 2 and report.moved == 1 and report.left == 0)
      net:expect(#report.warnings == 0 and report.pause >= 0)
      a:call("broadcast", "hi")
      net:eventually("heard", "5s", function() return b:call("heard") == 1 end)
      net:expect(b:eval("return node.state.kept") == "kept")
      local ok, problem = pcall(b.reload, b, "none.lua")
      net:expect(not ok and problem.kind == "script" and b:call("heard") == 1)
      net:expect(#a:connections() == 1)
      """)
    #expect(result.failure == nil)
  }

  @Test func `An error in a call is the caller's, with the script's line`() async throws {
    let result = try await runScenario(
      """
      local a = net:node("echo.lua")
      a:call("fail")
      """)
    let failure = try #require(result.failure)
    #expect(failure.message.contains("echo.lua:13: as asked"))
    #expect(failure.location?.hasSuffix("scenario.lua:4") == true)
  }

  @Test(arguments: [
    (#"net:node("none.lua")"#, "none.lua"), (#"net:node("echo.lua", { gretting = 1 })"#, "did you mean \"greeting\"?"),
    (#"net:node("echo.lua", { max_connections = 0 })"#, "max_connections"),
    (#"net:node("echo.lua"):call("herd")"#, "did you mean \"heard\"?"),
    (#"net:node("echo.lua"):eval("return +")"#, "unexpected symbol"),
    (#"return net:node("echo.lua").adress"#, "did you mean \"address\"?"),
    (#"net:node("echo.lua"):reload("x")"#, "cannot read the script"), (#"net:node("echo.lua"):reload(5)"#, "file name"),
    (#"net:node("echo.lua"):reload("broken.lua")"#, "broken.lua:1"), (#"net:node("echo.lua"):pause()"#, "not in this version"),
    (#"net:node(12)"#, "must be a string, got integer 12"),
    (#"net:nodes(0, "echo.lua")"#, "at least 1"), (#"net:partition({}, "rest")"#, "not in this version"),
    (#"net:evntually("x", 1, print)"#, "did you mean \"eventually\"?"),
    (#"net:node("broken.lua")"#, "broken.lua:1"), (#"net:node("wrong.lua")"#, "did you mean \"process_message\"?"),
    (#"net:node("raises.lua")"#, "raises.lua:1: node-1 did not start: in init: not today"),
    (#"net:connect({ 1, 2 }, network.line())"#, "a node handle is expected, got integer 1"),
  ])
  func `A mistake in a scenario is told with what and where`(code: String, reason: String) async throws {
    let result = try await runScenario(
      code,
      files: [
        "broken.lua": "return {", "raises.lua": "return { init = function() error('not today') end }",
        "wrong.lua": "return { proces_message = function() end }",
      ])
    let failure = try #require(result.failure)
    #expect("\(failure.location ?? ""): \(failure.message)".contains(reason))
    #expect(failure.location != nil)
  }
}
