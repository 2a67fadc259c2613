import Foundation
import Glibc
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import NodeSupport
import Testing

/// `require`: where modules come from, and what a module may do while it loads.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ModuleTests {
  /// Writes the files into a folder of their own, and runs `code` in a node whose script lies there.
  private func run(_ files: [String: String], _ code: String, top: String = "") async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    for (path, text) in files {
      let file = folder.appendingPathComponent(path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    let text = script("calls = { run = function(node)\n\(code)\nend }", before: top)
    let source = ScriptSource(path: folder.path + "/main.lua", text: Array(text.utf8))
    let node = try await ScriptedNode.load(source, environment: .sockets(logger: .quiet))
    try await withStarted(node) { _ = try await $0.call("run") }
  }

  @Test func `Modules lie beside the script, dots are folders, and each is run once`() async throws {
    try await run(
      [
        "one.lua": "count = (count or 0) + 1 local name, path = ... return { name = name, path = path }",
        "lib/frames.lua": "return { up = require 'one', deep = require 'lib.deep.er' }",
        "lib/deep/er.lua": "return 'deeper'",
        "nothing.lua": "ran = true", "no.lua": "return false",
      ],
      """
      local frames = require "lib.frames"
      eq(frames.deep, "deeper") eq(frames.up, one) eq(require "one", one) eq(count, 1)
      eq(require "lib/frames", frames)
      eq(one.name, "one") has(one.path, "/one.lua")
      eq(require "nothing", true) eq(ran, true) eq(require "no", false)
      eq(require "moonpeer.json", json) eq(require "moonpeer.node", node)
      """, top: "one = require 'one'")
  }

  @Test func `A module may wait and connect while it loads; others wait for it`() async throws {
    try await withNode(
      script("codec = codec.lines(), process_message = function(_, conn, m) conn:send('re:' .. m) end"), logger: .quiet
    ) { server in
      try await run(
        [
          "slow.lua": """
          local node = require "moonpeer.node"
          starts = (starts or 0) + 1
          node:sleep("5ms")
          local conn = assert(node:open("\(await server.node.address!)", { codec = require "moonpeer.codec".lines() }))
          return { answer = conn:request "x" }
          """,
          "outer.lua": "return require 'slow'",
        ],
        """
        local a, b, c = node:all(function() return require "slow" end, function() return require "outer" end,
          function() return coroutine.wrap(function() return require "slow" end)() end)
        eq(a.answer, "re:x") eq(a, b) eq(a, c) eq(starts, 1)
        """)
    }
  }

  @Test func `A module that is not there is named with the places that were searched and the author's line`() async throws {
    try await run(
      [:],
      """
      local message = raised(function() require "lib.frmaes" end).message
      has(message, "main.lua:3: module \\"lib.frmaes\\" was not found; looked for ")
      has(message, "/lib/frmaes.lua")
      has(raised(require, "moonpeer.jsn").message, "moonpeer.jsn")
      has(raised(require, "moonpeer.jsn").message, "moonpeer.json")
      has(raised(require, "../secret").message, "name the module without its path and ending")
      has(raised(require, "/etc/passwd").message, "name the module")
      has(raised(require, "lib/frames.lua/x").message, "was not found")
      has(raised(require, "").message, "cannot be empty")
      has(raised(require, "a b").message, "letters, digits")
      has(raised(function() require(5) end), "require: a module's name must be a string, got integer 5")
      has(raised(function() require(5) end), "main.lua:")
      """)
  }

  @Test func `What is no regular file is refused and not waited for, as a module and as a script`() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(mkfifo(folder + "/fifo.lua", 0o600) == 0)
    let text = script("calls = { run = function() return raised(require, 'fifo').message end }")
    let node = try await ScriptedNode.load(
      ScriptSource(path: folder + "/main.lua", text: Array(text.utf8)), environment: .sockets(logger: .quiet))
    try await withStarted(node) { node in
      let message = try await node.call("run").first?.text ?? ""
      #expect(message.contains("require \"fifo\": cannot read the script \"\(folder)/fifo.lua\": it is a pipe, "), "\(message)")
    }
    for path in [folder + "/fifo.lua", "/dev/null"] {
      let problem = await failure { _ = try ScriptSource.file(path) }
      #expect(problem?.code == .file)
      #expect(
        problem?.message
          == "cannot read the script \"\(path)\": it is a pipe, a socket or a device; a script is read from a regular file")
    }
  }

  @Test func `Modules in a circle are an error that shows the circle, also across tasks`() async throws {
    try await run(
      [
        "a.lua": "local m = require 'b' return m", "b.lua": "local m = require 'c' return m",
        "c.lua": "local m = require 'a' return m", "me.lua": "require 'me'",
        "left.lua": "require 'moonpeer.node':sleep('5ms') return require 'right'",
        "right.lua": "require 'moonpeer.node':sleep('5ms') return require 'left'",
      ],
      """
      local cause = raised(require, "a")
      eq(cause.kind, "load")
      has(cause.message, "/c.lua:1: modules require each other in a circle: a -> b -> c -> a")
      has(raised(require, "me").message, "me -> me")
      -- It can be tried again, with the same result.
      has(raised(require, "b").message, "b -> c -> a -> b")
      local one, two = node:spawn(require, "left"), node:spawn(require, "right")
      local first = { pcall(one.join, one) }
      local second = { pcall(two.join, two) }
      eq(first[1], false) eq(second[1], false)
      has(first[2].message, "in a circle: ") has(second[2].message, "in a circle: ")
      """)
  }

  @Test func `A module that raises or cannot be read as Lua says where, and may be asked for again`() async throws {
    try await run(
      [
        "bad.lua": "tries = (tries or 0) + 1\nerror 'not today'", "syntax.lua": "\n\nlocal = 5",
        "table.lua": "error { kind = 'mine' }", "slow.lua": "require 'moonpeer.node':sleep('2ms') error 'late'",
        "binary.lua": "\u{1B}Lua",
      ],
      """
      has(raised(require, "bad"), "/bad.lua:2: not today") has(raised(require, "bad"), "not today") eq(tries, 2)
      has(raised(require, "syntax").message, "/syntax.lua:3: ")
      eq(raised(require, "table").kind, "mine")
      has(raised(require, "binary").message, "binary chunk")
      local one, two = node:spawn(require, "slow"), node:spawn(require, "slow")
      has(raised(one.join, one), "/slow.lua:1: late") has(raised(two.join, two), "/slow.lua:1: late")
      """)
  }

  @Test func `At a script's top level, what needs the node says when it will be there`() async throws {
    await #expect { try await self.run([:], "", top: "require 'moonpeer.node'") } throws: { error in
      "\(error)".contains("main.lua:1: ") && "\(error)".contains("moonpeer.node is there once the node starts")
    }
    await #expect { try await self.run(["bad.lua": "\nerror 'top'"], "", top: "require 'bad'") } throws: { error in
      "\(error)".contains("/bad.lua:2: ") && "\(error)".contains("top")
    }
  }
}
