import Foundation
import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Bad scripts: one clear message each, with what, where and what to do.
@Suite(.timeLimit(.minutes(5))) struct BadScriptTests {
  @Test(arguments: [
    ("return {", "bad.lua:1", "unexpected symbol near <eof>"),
    ("return {\n  name = 'x'\n  version = 1 }", "bad.lua:3", "'}' expected (to close '{' at line 1) near 'version'"),
    ("local x = \nfor", "bad.lua:2", "unexpected symbol near 'for'"),
    ("", "bad.lua", "a script must return a table of hooks and settings, got nothing; does it end in return { … }?"),
    ("return 5", "bad.lua", "a script must return a table of hooks and settings, got integer 5"),
    ("return function() end", "bad.lua", "a script must return a table of hooks and settings, got a function"),
    ("\nerror 'cannot go on'", "bad.lua:2", "cannot go on"),
    ("local a\nlocal b = a.b\nreturn {}", "bad.lua:2", "attempt to index a nil value (local 'a')"),
    ("return {\n  proces_message = print }", "bad.lua:2", "proces_message: unknown key; did you mean \"process_message\"?"),
    ("return {\n  on_conect = print,\n}", "bad.lua:2", "on_conect: unknown key; did you mean \"on_connect\"?"),
    ("return {\n\n  process_message = 'x' }", "bad.lua:3", "process_message: must be a function, got string \"x\""),
    ("return { [1] = print }", "bad.lua", "integer 1: unknown key; the keys are name, version"),
    ("return { session = print,\n process_message = print }", "bad.lua:1", "session: excludes process_message"),
    ("return {\n version = '1' }", "bad.lua:2", "version: must be an integer, got string \"1\""),
    (
      "return {\n config = { max_conections = 5 } }", "bad.lua:2",
      "there is no configuration key \"max_conections\"; did you mean \"max_connections\"?"
    ),
    (
      "return {\n config = {\n  idle_timeout = 'soon' } }", "bad.lua:3",
      "idle_timeout: a duration such as 3, \"250ms\" or \"2m\" is expected, got \"soon\""
    ),
    ("return {\n config = {\n  max_connections = 0 } }", "bad.lua:3", "max_connections: 0 makes no sense here"),
    ("return {\n config = 5 }", "bad.lua:2", "config: must be a table, got integer 5"),
    (
      "return {\n config = { name = print } }", "bad.lua:2",
      "config.name: must be a text, a number, true, false or a list, got a function"
    ),
    ("return {\n args = { f = print } }", "bad.lua:2", "args.f: a default cannot be a function"),
    (
      "return {\n args = { f = { typ = \"integer\" } } }", "bad.lua:2",
      "args.f: unknown key string \"typ\"; did you mean \"type\"?"
    ),
    ("return {\n timers = { tick = {\n run = print } } }", "bad.lua:2", "timers.tick.every: is missing"),
    ("return {\n calls = { ask = 1 } }", "bad.lua:2", "calls.ask: must be a function, got integer 1"),
    ("return {\n save = 1 }", "bad.lua:2", "save: must be a function, got integer 1"),
    ("return {\n restore_connections = print }", "bad.lua:2", "did you mean \"restore_connection\"?"),
    ("return {\n codec = 'lines' }", "bad.lua:2", "codec: must be a codec or a function that returns one, got string \"lines\""),
    ("local codec = require 'moonpeer.codec'\nreturn {\n codec = codec.lines }", "bad.lua:3", "codec.lines(…)"),
    ("local codec = require 'moonpeer.codec'\nreturn { codec = codec.line() }", "bad.lua:2", "lines"),
    (
      "local codec = require 'moonpeer.codec'\nreturn { codec = codec.lines { maximum = 5 } }", "bad.lua:2",
      "unknown option \"maximum\""
    ),
    ("\nlocal x = require 'helpers'", "bad.lua:2", "module \"helpers\" was not found; looked for helpers.lua"),
    (
      "local x = require 'moonpeer.crypto'", "bad.lua:1",
      "there is no module \"moonpeer.crypto\"; the shipped ones are moonpeer.codec"
    ),
    ("local x = require '../etc/passwd'", "bad.lua:1", "name the module without its path and ending"),
    ("local x = require(5)", "bad.lua:1", "require: a module's name must be a string, got integer 5"),
    ("local x = require 'moonpeer.node'", "bad.lua:1", "moonpeer.node is there once the node starts"),
    ("\u{1b}Lua", "bad.lua", "this is a binary chunk (luac output); only Lua source text is loaded"),
    ("io.open 'x'", "bad.lua:1", "attempt to index a nil value (global 'io')"),
    ("os.exit(1)", "bad.lua:1", "attempt to call a nil value (field 'exit')"),
    ("coroutine.yield()", "bad.lua:1", "coroutine.yield outside a coroutine"),
  ])
  func `One message says what and where`(text: String, location: String, words: String) async throws {
    try await withNodes { nodes in
      let error = await failure { _ = try await nodes.load(text, file: "bad.lua") }
      #expect(error?.message.contains(words) == true, "\(error?.description ?? "it loaded")")
      #expect(error?.location == location, "\(error?.description ?? "it loaded")")
      #expect(error?.code == .load || error?.code == .configuration)
      #expect(error?.message.contains(/moonpeer\.[a-z_]+:\d/) == false, "a place of ours: \(error?.description ?? "")")
    }
  }

  @Test func `Of several mistakes the first is told, with how many more there are`() async throws {
    try await withNodes { nodes in
      let error = await failure { _ = try await nodes.load("return { name = 5, version = 'x', init = 1 }") }
      #expect(error?.message.contains("(and 2 more; moonpeer check lists all)") == true, "\(error?.description ?? "")")
    }
  }

  @Test func `Inspecting lists all mistakes and runs no hook`() async throws {
    let declaration = try await ScriptedNode.inspect(
      ScriptSource(name: "bad.lua", text: "return {\n nam = 1,\n init = 5,\n config = { max_connections = 0 } }"),
      environment: .sockets())
    #expect(declaration.problems.map(\.location) == ["bad.lua:2", "bad.lua:3", "bad.lua:4"])
  }

  // Files

  private func file(_ name: String, _ bytes: [UInt8]?, _ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent(name)
    if let bytes { try Data(bytes).write(to: path) }
    try await body(path.path)
  }

  private func load(_ path: String) async throws(ScriptError) {
    _ = try await ScriptedNode.load(ScriptSource.file(path), environment: .sockets())
  }

  @Test func `A file that is missing or a folder is named with the reason`() async throws {
    try await file("gone.lua", nil) { path in
      let missing = await failure { try await load(path) }
      #expect(missing?.code == .file)
      #expect(missing?.message == "cannot read the script \"\(path)\": No such file or directory")
      let folder = String(path.dropLast("/gone.lua".count))
      let error = await failure { try await load(folder) }
      #expect(error?.message == "cannot read the script \"\(folder)\": it is a folder; name the .lua file in it")
    }
  }

  @Test func `Bytes that are no Lua are refused, at their place`() async throws {
    try await file("noise.lua", [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0xFF, 0xFE]) { path in
      let error = await failure { try await load(path) }
      #expect(error?.code == .load)
      // Lua shortens a long path from the left.
      #expect(error?.location?.hasSuffix("/noise.lua:1") == true, "\(error?.description ?? "it loaded")")
    }
    try await file("compiled.lua", [0x1B] + Array("LuaT".utf8)) { path in
      let error = await failure { try await load(path) }
      #expect(error?.message.contains("only Lua source text is loaded") == true)
    }
  }

  @Test func `Text of any encoding works where Lua allows it; a byte order mark is skipped`() async throws {
    try await file("latin.lua", Array("return { name = 'caf".utf8) + [0xE9] + Array("' }".utf8)) { try await load($0) }
    try await file("mark.lua", [0xEF, 0xBB, 0xBF] + Array("return {}".utf8)) { try await load($0) }
    try await file("wide.lua", [0xFF, 0xFE] + Array("return {}".utf8).flatMap { [$0, 0] }) { path in
      let error = await failure { try await load(path) }
      #expect(error?.message.contains("UTF-16") == true, "\(error?.description ?? "it loaded")")
    }
  }

  @Test func `A module beside the script is found, and its mistakes have their own place`() async throws {
    try await file("main.lua", Array("local words = require 'words'\nreturn { name = words.name }".utf8)) { path in
      let module = String(path.dropLast("main.lua".count)) + "words.lua"
      let missing = await failure { try await load(path) }
      #expect(missing?.message.contains("looked for \(module)") == true)
      #expect(missing?.location?.hasSuffix("/main.lua:1") == true)
      try Data("return { name = 'anna' }".utf8).write(to: URL(fileURLWithPath: module))
      try await load(path)
      try Data("\nreturn {".utf8).write(to: URL(fileURLWithPath: module))
      let syntax = await failure { try await load(path) }
      #expect(syntax?.location?.hasSuffix("/words.lua:2") == true, "\(syntax?.description ?? "it loaded")")
      try Data("error 'not today'".utf8).write(to: URL(fileURLWithPath: module))
      let raised = await failure { try await load(path) }
      #expect(raised?.location?.hasSuffix("/words.lua:1") == true)
      #expect(raised?.message == "not today")
    }
  }

  // Decoders that lie

  @Test(arguments: [
    ("custom", "return 'm', -1", "says it took -1 bytes"), ("custom", "return 'm', 0", "says it took 0 bytes"),
    ("custom", "return 'm', 1000", "says it took 1000 bytes of 6"), ("custom", "return 'm'", "says it took nil bytes"),
    ("custom", "return 'm', 2.5", "says it took 2.5 bytes"), ("custom", "return 'm', 'x'", "says it took x bytes"),
    ("custom", "return nil, 3", "asked for 3 bytes in all when it had 6"), ("custom", "return nil, -5", "asked for -5 bytes"),
    ("custom", "return nil, 1 << 40", "a message of over 100 bytes, the codec's max"),
    ("custom", "return nil, 6.5", "asked for 6.5 bytes"), ("custom", "codec.invalid 'not ours'", "not ours"),
    ("custom", "error { message = 'as a table' }", "as a table"),
    ("framed", "return -1", "size returned integer -1 for a header of 2 bytes"),
    ("framed", "return 1", "size returned integer 1"),
    ("framed", "return 1e9", "size returned float 1000000000.0"), ("framed", "return 1 << 40", "over the codec's max of 100"),
    ("framed", "return nil", "size returned nothing"), ("framed", "return 'x'", "size returned string \"x\""),
    ("framed", "error 'no size'", "no size"),
  ])
  func `A decoder that lies breaks its connection only`(kind: String, code: String, words: String) async throws {
    try await withNodes { nodes in
      let maker =
        kind == "custom"
        ? "codec.custom { max = 100, decode = function(buffer) \(code) end, encode = tostring }"
        : "codec.framed { header = 2, max = 100, size = function(head) \(code) end }"
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = \(maker), process_message = function(node) node.state.got = true end,
          on_disconnect = function(node, conn, reason) node.state.reason = { reason.kind, reason.message } end }
        """)
      let client = try await nodes.start("return {}")
      try await client.lua("node.state.conn = assert(node:open(...)) node.state.conn:write 'abcdef'", server.at)
      try await eventually("it has ended") { try await server.lua("return node.state.reason") != .nil }
      let reason = try await server.lua("return node.state.reason").table?.array ?? []
      #expect(reason.first == "decode")
      #expect(reason.last?.text?.contains(words) == true, "\(reason)")
      #expect(try await server.lua("return node.state.got") == .nil)
      #expect(await server.node.heuristics().decodeErrors == 1)
    }
  }

  @Test(arguments: [
    ("codec.custom {\n decode = function(b) return b, #b + 1 end }", 3, "the decoder says it took"),
    ("codec.custom {\n decode = function(b) return nil, 1 end }", 3, "the decoder asked for"),
    ("codec.framed { header = 2,\n size = function() return 1 end }", 3, "the codec's size returned"),
    ("codec.map(codec.bytes(), {\n decode = function() end })", 3, "the codec's decode returned nil"),
  ])
  func `A codec that breaks its promises is the script's error, with its place`(maker: String, line: Int, words: String)
    async throws
  {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec = require "moonpeer.codec"
        return { codec = \(maker), process_message = print }
        """)
      let client = try await nodes.start("return {}")
      try await client.lua("node.state.conn = assert(node:open(...)) node.state.conn:write 'abcdef'", server.at)
      try await eventually("it is logged") { nodes.log.lines.contains { $0.level == .error } }
      let logged = try #require(nodes.log.lines.first { $0.level == .error })
      #expect(logged.message.hasPrefix("test.lua:\(line): in process_message (peer "), "\(logged)")
      #expect(logged.message.contains(words) && logged.metadata["kind"] == "decode", "\(logged)")
    }
  }
}
