import LuaHost
import NodeEngine
import Testing

@testable import NodeScripting

/// What is done quickly at a node's start says the same as what it is done instead of.
struct QuickStartTests {
  @Test(arguments: [
    "return {}", "return { name = 'x', version = 3, init = print, on_connect = print, on_shutdown = print }",
    "return { calls = { b = print, a = print }, process_message = print, handshake = print, save = print }",
    "return { codec = require 'moonpeer.codec'.lines(), session = print, on_disconnect = print }",
    "return { codec = require 'moonpeer.codec'.fixed(4), calls = {} }",
  ])
  func `A table that is in order at first sight declares what a close look finds`(script: String) async throws {
    let quick = try await declaration(of: script)
    // A metatable has it looked at closely.
    let close = try await declaration(of: script.replacing("return {", with: "return setmetatable({") + ", {})")
    #expect(quick.problems == close.problems)
    #expect(quick.name == close.name)
    #expect(quick.version == close.version)
    #expect(quick.hooks == close.hooks)
    #expect(quick.codec == close.codec)
    #expect(quick.calls == close.calls)
    #expect(quick.timers == close.timers)
  }

  @Test(arguments: [
    "version = 1.5", "version = '1'", "name = 1", "calls = { [1] = print }", "calls = { a = 1 }", "codec = {}",
    "codec = setmetatable({}, { __name = 'codec', __plain = false })", "session = print, process_message = print",
    "['name\\0'] = 'x'", "[1] = print", "save = 1",
  ])
  func `A table that is not in order is refused`(field: String) async throws {
    let declaration = try await declaration(of: "return { \(field) }")
    #expect(declaration.problems.count == 1)
  }

  @Test func `What a script changes in its table afterwards changes nothing`() async throws {
    let script = """
      local M = { calls = { ask = function() return 1 end } }
      function M.init() M.init, M.calls = nil, nil end
      return M
      """
    try await withNode(script) { node in
      let answer = try await node.call("ask")
      #expect(answer == [1])
    }
  }

  @Test func `A codec made with nothing set is the one made with empty options`() throws {
    let test = """
      function test.differ()
        for _, name in ipairs { "bytes", "lines", "length_prefixed" } do
          local short, long = lib.codec[name](), lib.codec[name] {}
          for key, value in pairs(long) do if short[key] ~= value then return name .. "." .. key end end
          for key, value in pairs(short) do if long[key] ~= value then return name .. "." .. key end end
          if getmetatable(short) ~= getmetatable(long) then return name end
        end
      end
      """
    let difference = try PreludeHarness(test).call("differ").first?.text
    #expect(difference == nil)
  }

  @Test func `A text that is loaded again behaves as the first time`() async throws {
    let script = "local codec = require 'moonpeer.codec'\nreturn {\n  calls = { fail = function()\n    error('no')\n  end } }"
    for _ in 1...4 {
      try await withNode(script) { node in
        let error = await #expect(throws: ScriptError.self) { try await node.call("fail") }
        #expect(error?.message.hasSuffix("no") == true)
        #expect(error?.location?.hasSuffix(":4") == true, "\(String(describing: error))")
        #expect(error?.traceback?.contains(":4") == true, "\(String(describing: error))")
      }
    }
  }

  private func declaration(of script: String) async throws -> ScriptDeclaration {
    try await ScriptedNode.inspect(
      ScriptSource(name: "test.lua", text: script), environment: Backend.current.environment())
  }
}
