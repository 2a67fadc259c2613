import Foundation
import LuaHost
import NodeEngine
import NodeScripting
import NodeSupport
import TestNetwork
import Testing

@testable import APIReference

/// Every function with a table of options takes the declared ones and no other.
@Suite struct DeclaredOptionsTests {
  /// How each is called with an option that does not exist; its error lists those that do.
  private static let calls = [
    "moonpeer.Node.connect": "node:connect('127.0.0.1:1', { zzzzzz = 1 })",
    "moonpeer.Node.open": "node:open('127.0.0.1:1', { zzzzzz = 1 })",
    "moonpeer.Node.broadcast": "node:broadcast('', { zzzzzz = 1 })",
    "moonpeer.Node.metric": "node:metric('x_total', { zzzzzz = 1 })",
    "moonpeer.Node.every": "node:every(1, print, { zzzzzz = 1 })",
    "moonpeer.Conn.request": "conn:request('', { zzzzzz = 1 })",
    "moonpeer.codec.bytes": "codec.bytes { zzzzzz = 1 }",
    "moonpeer.codec.lines": "codec.lines { zzzzzz = 1 }",
    "moonpeer.codec.length_prefixed": "codec.length_prefixed { zzzzzz = 1 }",
    "moonpeer.codec.packed": "codec.packed('I4', { zzzzzz = 1 })",
    "moonpeer.codec.struct": "codec.struct { { 'a', 'u8' }, zzzzzz = 1 }",
    "moonpeer.codec.union": "codec.union { { 1, 'a' }, zzzzzz = 1 }",
    "moonpeer.codec.map": "codec.map(codec.bytes(), { zzzzzz = 1 })",
    "moonpeer.codec.framed": "codec.framed { zzzzzz = 1 }",
    "moonpeer.codec.custom": "codec.custom { zzzzzz = 1 }",
    "moonpeer.json.encode": "json.encode(1, { zzzzzz = 1 })",
    "moonpeer.json.decode": "json.decode('1', { zzzzzz = 1 })",
    "moonpeer.network.scenario": "network.scenario('x', { zzzzzz = 1 }, print)",
    "moonpeer.network.grid": "network.grid { zzzzzz = 1 }",
    "moonpeer.network.tree": "network.tree { zzzzzz = 1 }",
    "moonpeer.network.random": "network.random { zzzzzz = 1 }",
  ]

  private static let functions: [(name: String, options: [String])] =
    (Document.sections.flatMap(\.modules).map { ($0.name, $0.functions) }
    + Document.sections.flatMap(\.classes).map { ($0.type, $0.methods) }).flatMap { owner, functions in
      functions.flatMap { function in
        function.optionTables.map { ("\(owner).\(function.name)", $0.options.map(\.name)) }
      }
    }

  @Test func `Every function with options is called here`() {
    #expect(Self.functions.map(\.name).sorted() == Self.calls.keys.sorted())
  }

  @Test(.timeLimit(.minutes(5))) func `Nodes and modules take the declared options`() async throws {
    let script = """
      local codec, json = require "moonpeer.codec", require "moonpeer.json"
      return {
        process_message = function() end,
        calls = {
          try = function(node, address, code)
            local conn = assert(node:open(address))
            local run = assert(load("local node, conn, codec, json = ... " .. code))
            local ok, problem = pcall(run, node, conn, codec, json)
            conn:abort()
            return ok and "no error" or tostring(problem)
          end,
        },
      }
      """
    try await withNode(script) { server in
      try await withNode(script) { node in
        let address = LuaValue("\(await server.node.address!)")
        for (name, options) in Self.functions where !name.hasPrefix("moonpeer.network.") {
          let code = try #require(Self.calls[name])
          let problem = try await node.call("try", [address, LuaValue("return " + code)]).first?.text ?? ""
          #expect(problem.list(after: "known: ").sorted() == options.sorted(), "\(name): \(problem)")
        }
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `An option given its declared default changes nothing`() async throws {
    let script = """
      local codec = require "moonpeer.codec"
      return {
        process_message = function() end,
        calls = {
          differs = function(_, plain, given)
            local a, b = load("local codec = ... return " .. plain)(codec), load("local codec = ... return " .. given)(codec)
            for key, value in pairs(a) do
              if type(value) ~= "function" and type(value) ~= "table" and b[key] ~= value then return key end
            end
            return false
          end,
        },
      }
      """
    try await withNode(script) { node in
      for function in LuaAPI.codecModule.functions {
        guard let code = Self.calls["moonpeer.codec.\(function.name)"],
          !["map", "framed", "custom"].contains(function.name)
        else { continue }
        for option in function.optionTables.flatMap(\.options) {
          guard let text = option.defaultText, !text.contains(" ") else { continue }
          let pair = [
            code.replacing("zzzzzz = 1", with: ""), code.replacing("zzzzzz = 1", with: "\(option.name) = \(text)"),
          ]
          let answer = try await node.call("differs", pair.map { LuaValue($0) }).first
          #expect(answer == .boolean(false), "\(pair[1])")
        }
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Scenarios take the declared options and have the declared handles`() async throws {
    let calls = Self.calls.filter { $0.key.hasPrefix("moonpeer.network.") }.sorted { $0.key < $1.key }
    let tries = calls.map { "  { \"\($0.key)\", function() return \($0.value) end }," }.joined(separator: "\n")
    let text = """
      local network = require "moonpeer.network"
      local tries = {
      \(tries)
      }
      network.scenario("look", function(net)
        local handle = net:node("quiet.lua")
        local lines = {}
        local function note(name, fn)
          local ok, problem = pcall(fn)
          lines[#lines + 1] = name .. "=" .. (ok and "no error" or tostring(problem))
        end
        for _, entry in ipairs(tries) do note(entry[1], entry[2]) end
        note("moonpeer.Net", function() return net.zzzzzz end)
        note("moonpeer.NodeHandle", function() return handle.zzzzzz end)
        local names = {}
        for name in pairs(network) do names[#names + 1] = name end
        lines[#lines + 1] = "moonpeer.network=known: " .. table.concat(names, ", ")
        net:fail(table.concat(lines, "\\n"))
      end)
      """
    let failure = try await withFolder { folder in
      try Data(text.utf8).write(to: folder.appendingPathComponent("scenario.lua"))
      try Data("return { process_message = function() end }".utf8).write(to: folder.appendingPathComponent("quiet.lua"))
      let file = folder.appendingPathComponent("scenario.lua").path
      let results = try await withLoops { try await ScenarioRunner(on: $0).run(file) }
      guard case .failed(let failure)? = results.first?.outcome else { return "" }
      return failure.message
    }
    func names(_ key: String) -> [String] {
      let line = failure.split(separator: "\n").first { $0.hasPrefix(key + "=") }.map(String.init) ?? ""
      return line.list(after: "known: ").sorted()
    }
    for (name, options) in Self.functions where name.hasPrefix("moonpeer.network.") {
      #expect(names(name) == options.sorted(), "\(name): \(failure)")
    }
    #expect(names("moonpeer.Net") == NetworkAPI.net.methods.map(\.name).sorted(), "\(failure)")
    let handle = NetworkAPI.handle
    #expect(names("moonpeer.NodeHandle") == (handle.fields.map(\.name) + handle.methods.map(\.name)).sorted())
    #expect(names("moonpeer.network") == NetworkAPI.module.functions.map(\.name).sorted())
  }
}
