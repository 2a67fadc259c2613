import Logging
import LuaHost
import NodeCore
import NodeScripting
import Testing

/// The limits that protect the process from a script, and what the script may do about them.
@Suite(.timeLimit(.minutes(5))) struct WallTests {
  @Test(arguments: ["script_time", "script_memory"], ["0", "'0'"])
  func `A script cannot take its limits away`(key: String, value: String) async throws {
    try await withNodes { nodes in
      let text = "return {\n  config = { \(key) = \(value) },\n}"
      let error = await failure { _ = try await nodes.load(text) }
      #expect(error?.location == "test.lua:2")
      let option = key == "script_time" ? "--script-time 0" : "--script-memory 0"
      #expect(error?.message.contains("config: \(key): a script cannot go without this limit") == true, "\(error as Any)")
      #expect(error?.message.contains("\(option) or --trusted") == true, "\(error as Any)")
      _ = try await nodes.load(text) { $0.isTrusted = true }
      let other = try await nodes.start("return {}") { $0.configuration = [(key, .integer(0))] }
      #expect(try await other.lua("return node.config.\(key) == 0") == true)
    }
  }

  @Test(arguments: [
    ("script_time = '2s'", "script_time from 1.0 s to 2.0 s"),
    ("script_memory = '128MiB'", "script_memory from 67108864 bytes to 134217728 bytes"),
    ("max_calls = 101", "max_calls from 100 to 101"),
    ("max_listeners = 17", "max_listeners from 16 to 17"),
  ])
  func `A script that raises one is told of in the log`(setting: String, words: String) async throws {
    try await withNodes { nodes in
      _ = try await nodes.start("return { config = { \(setting) } }")
      let lines = nodes.log.lines(with: words)
      #expect(lines.count == 1 && lines.first?.level == .warning)
      _ = try await nodes.start("return { config = { \(setting) } }") { $0.isTrusted = true }
      #expect(nodes.log.lines(with: words).count == 1)
    }
  }

  @Test func `Nothing is said of one that lowers them, and whoever runs the script has the last word`() async throws {
    try await withNodes { nodes in
      _ = try await nodes.start("return { config = { script_time = '500ms', script_memory = '32MiB', max_calls = 5 } }")
      let node = try await nodes.start("return { config = { max_calls = 1000 } }") {
        $0.configuration = [("max_calls", .integer(7))]
      }
      #expect(try await node.lua("return node.config.max_calls") == 7)
      #expect(nodes.log.lines(with: "the script's config raises").isEmpty)
    }
  }

  @Test func `A script that listens in a loop comes to max_listeners, not to the process's descriptors`() async throws {
    try await withNodes { nodes in
      let node = try await nodes.start("return { config = { listen = 'none', max_listeners = 3 } }")
      let outcome = try await node.lua(
        """
        local count = 0
        while true do
          local address, problem = node:listen("127.0.0.1:0")
          if not address then return { count, problem.kind, problem.message } end
          count = count + 1
        end
        """)
      #expect(outcome.table?.array.prefix(2) == [3, "limit"])
      #expect(outcome.table?.array.last?.text?.contains("max_listeners (3) is reached") == true, "\(outcome)")
      #expect(try await node.lua("node:stop_listening() return (node:listen('127.0.0.1:0')) ~= nil") == true)
    }
  }
}
