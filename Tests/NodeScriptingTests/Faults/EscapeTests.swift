import Foundation
import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Scripts that try to get out of their box, on a running node.
@Suite(.timeLimit(.minutes(5))) struct EscapeTests {
  /// What the shipped Lua uses, replaced by what notes each argument it is called with.
  private static let tampered = """
    local seen = {}
    local real = { type = type, tostring = tostring, pairs = pairs }
    local function spy(name)
      return function(...)
        for i = 1, select('#', ...) do seen[#seen + 1] = name .. ':' .. real.type((select(i, ...))) end
        return nil
      end
    end
    for _, name in ipairs { 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'pcall', 'rawequal', 'rawget', 'rawlen', 'rawset',
      'setmetatable', 'tonumber', 'tostring', 'type', 'xpcall' } do _G[name] = spy(name) end
    for _, library in real.pairs { string, table, math, utf8, debug, coroutine } do
      for key in real.pairs(library) do library[key] = spy(key) end
    end
    """

  @Test func `The metatable of the engine's errors gives no finalizers`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start("return {}")
      let outcome = try await server.lua(
        """
        local function fail() local _, e = pcall(node.sleep, node, -1) return e end
        local ran = 0
        getmetatable(fail()).__gc = function() ran = ran + 1 end
        for _ = 1, 50 do fail() end
        -- Enough garbage that the collector goes round.
        for _ = 1, 200 do string.rep("x", 100000) end
        return ran
        """)
      #expect(outcome == 0)
    }
  }

  @Test func `Replacing Lua's functions does not reach what comes with Moonpeer`() async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        """
        local codec, json, log = require "moonpeer.codec", require "moonpeer.json", require "moonpeer.log"
        \(Self.tampered)
        return {
          codec = codec.map(codec.lines(), { decode = function(m) return json.decode(m) end, encode = function(m) return json.encode(m) end }),
          process_message = function(node, conn, message)
            local task = node:spawn(function() node:sleep(0) return message.n + 1 end)
            log.info("got it", { n = message.n })
            conn:send { n = task:join(), seen = #seen, who = seen[1] }
          end,
          calls = { wrong = function(node) return node.nonsense end },
        }
        """)
      let client = try RawClient(try #require(await server.node.address))
      try await client.write(Array("{\"n\":1}\n".utf8))
      let reply = Array("{\"n\":2,\"seen\":0}\n".utf8)
      #expect(try await client.read(reply.count) == reply)
      let error = await failure { _ = try await server.call("wrong") }
      #expect(error?.message.contains("the node has no \"nonsense\"") == true, "\(String(describing: error))")
    }
  }

  @Test(arguments: [
    "rawset(conn, 1, nil) conn:send 'x' error 'on'", "rawset(conn, 1, io) conn:send 'x' error 'on'",
    "rawset(conn, 2, nil) conn:receive(0)",
    "getmetatable(conn).__index = nil conn:send 'x'", "setmetatable(conn, nil) conn.send(conn)", "conn.send('x')",
    "conn.send({}, 'x') error 'on'",
    "conn:send({})", "conn:send()", "conn:send(print)", "conn:try_send(5)", "conn:write({})",
    "conn:disconnect() conn:disconnect() pcall(conn.read, conn, 1) error 'on'",
    "conn:abort() conn:abort() pcall(conn.read, conn, 1) error 'on'", "conn:read(-1)", "conn:read(1 << 62)", "conn:read(0/0)",
    "conn:read_until('', 1)",
    "conn:request({})", "node.send(conn, 'x')", "getmetatable(node).__index = nil local _ = node.name .. 'x'",
    "coroutine.resume(coroutine.running())  error 'still here'", "coroutine.close(coroutine.running())",
    "require 'moonpeer.lib'", "require '../secret'", "require '/etc/passwd'", "require 'a\\0b'", "require(('x'):rep(100000))",
    "for k in pairs(getmetatable('')) do end", "collectgarbage('stop')", "setmetatable({}, { __gc = print })",
    "string.dump(print)",
    "load('\\27Lua')()", "debug.getregistry()", "os.execute 'true'", "package.loadlib()", "dofile 'x.lua'", "loadfile('x')()",
    "io.open 'x'",
  ])
  func `Misuse is an error of that connection`(code: String) async throws {
    try await withNodes { nodes in
      let server = try await nodes.start(
        "return { codec = require 'moonpeer.codec'.lines(), process_message = function(node, conn, m) if m == 'x' then \(code) end end }"
      )
      let client = try RawClient(try #require(await server.node.address))
      try await client.write(Array("x\n".utf8))
      _ = try await client.readToEnd()
      try await eventually("it is reported") { nodes.log.lines.contains { $0.level == .error } }
      #expect(await server.node.heuristics().scriptErrors == 1, "\(nodes.log.lines.filter { $0.level == .error })")
      #expect(try await server.lua("return 'alive'") == "alive")
    }
  }

  @Test func `A link that leads out of the script's folder is not followed`() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString)")
    let inside = folder.appendingPathComponent("inside")
    try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data("return 'secret'".utf8).write(to: folder.appendingPathComponent("secret.lua"))
    try Data("return 'fine'".utf8).write(to: inside.appendingPathComponent("own.lua"))
    try FileManager.default.createSymbolicLink(atPath: inside.path + "/out.lua", withDestinationPath: "../secret.lua")
    try FileManager.default.createSymbolicLink(atPath: inside.path + "/alias.lua", withDestinationPath: "own.lua")
    let main = inside.appendingPathComponent("main.lua")
    try Data("return { name = require 'alias' }".utf8).write(to: main)
    _ = try await ScriptedNode.load(ScriptSource.file(main.path), environment: .sockets())
    try Data("return { name = require 'out' }".utf8).write(to: main)
    let error = await failure { _ = try await ScriptedNode.load(ScriptSource.file(main.path), environment: .sockets()) }
    #expect(error?.message.contains("outside the script's folder") == true, "\(String(describing: error))")
  }
}
