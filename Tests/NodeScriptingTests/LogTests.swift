import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// `moonpeer.log`: what a line carries, and what a wrong one says.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LogTests {
  @Test func `Each level is its own, and fields are shown`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      """
      for _, level in ipairs { "trace", "debug", "info", "notice", "warning", "error" } do
        log[level]("at " .. level, { n = 1, f = 1.5, flag = true, text = "x", list = { 1 }, [5] = "five", f2 = print })
        eq(log.enabled(level), true)
      end
      log.info(424242) log.info(nil) log.info("bytes \\255", { b = "\\255" })
      """, logger: recorder.logger)
    let levels: [Logger.Level] = [.trace, .debug, .info, .notice, .warning, .error]
    for level in levels {
      let line = try #require(recorder.lines(with: "at \(level)").first)
      #expect(line.level == level)
      #expect(line.metadata["node"] == "client")
      #expect(line.metadata["n"] == "1")
      #expect(line.metadata["f"] == "1.5")
      #expect(line.metadata["flag"] == "true")
      #expect(line.metadata["text"] == "x")
      #expect(line.metadata["5"] == "five")
      #expect(line.metadata["list"]?.hasPrefix("table: ") == true)
    }
    #expect(recorder.lines(with: "424242").count == 1)
    #expect(recorder.lines(with: "bytes").count == 1)
  }

  @Test(arguments: [false, true]) func `A script with all of Lua's libraries is announced, once`(isTrusted: Bool) async throws {
    try await withNodes { nodes in
      _ = try await nodes.start("return { init = function() assert((io ~= nil) == \(isTrusted)) end }") {
        $0.isTrusted = isTrusted
      }
      let lines = nodes.log.lines(with: "trusted: the script has all of Lua's libraries")
      #expect(lines.map(\.level) == (isTrusted ? [.warning] : []))
    }
  }

  @Test func `A line under the level is not written, and costs no text`() async throws {
    let recorder = LogRecorder()
    var logger = recorder.logger
    logger.logLevel = .notice
    try await inNode(
      """
      eq(log.enabled "debug", false) eq(log.enabled "notice", true)
      log.debug(setmetatable({}, { __tostring = function() error "made a text" end }))
      log.notice "here"
      """, logger: logger)
    #expect(recorder.lines.map(\.message) == ["here"])
  }

  @Test func `A hook's lines carry its peer, also from inside a coroutine; print is a line too`() async throws {
    let recorder = LogRecorder()
    try await inNode(
      """
      local conn = assert(node:open(address))
      conn:write "x"
      eq(conn:read(1), "y")
      """,
      server: """
        process_message = function(node, conn)
          log.info "in the hook"
          coroutine.wrap(function() log.info "in a coroutine" end)()
          node:sleep(0)
          log.info "after a wait"
          print("printed", 5, nil, {})
          conn:write "y"
        end,
        """, logger: recorder.logger)
    for text in ["in the hook", "in a coroutine", "after a wait"] {
      let line = try #require(recorder.lines(with: text).first)
      #expect(line.metadata["peer"]?.hasPrefix("127.0.0.1:") == true)
      #expect(line.metadata["node"] == "server")
      #expect(line.metadata["conn"] == "1" && line.metadata["generation"] == "1")
    }
    #expect(recorder.lines(with: "printed 5 nil").first?.level == .info)
  }

  @Test func `Wrong uses name themselves`() async throws {
    try await inNode(
      """
      has(raised(function() log.info("x", 5) end), "log.info: the fields must be a table, got integer 5")
      has(raised(function() log.info("x", 5) end), "test.lua:")
      has(raised(function() log.warn "x" end), 'moonpeer.log has no "warn"; known: trace, debug, info, notice, warning, error')
      has(raised(function() log.enabled(5) end), "log.enabled: level must be a string")
      has(raised(function() log.enabled "loud" end), 'there is no level "loud"')
      """)
  }
}
