import Foundation
import LuaHost
import NodeEngine
import NodeScripting
import TestNetwork
import Testing

@testable import APIReference

/// What handles and modules have in a running node is what is declared, both ways.
@Suite struct DeclaredHandlesTests {
  /// A script that looks behind the handles; `--trusted` gives it `debug`.
  private static let observer = """
    local codec = require "moonpeer.codec"
    local function keys(of)
      local names = {}
      for key in pairs(of) do
        if type(key) == "string" and not key:find("^__") then names[#names + 1] = key end
      end
      table.sort(names)
      return names
    end
    -- What stands in a handle and in what stands behind it: its functions, or the rest.
    local function members(of, are_functions)
      local names, from = {}, of
      repeat
        for key, value in next, type(from) == "table" and from or {} do
          local is_name = type(key) == "string" and not key:find("^__")
          if is_name and (type(value) == "function") == are_functions then names[key] = true end
        end
        local meta = debug.getmetatable(from)
        from = meta and meta.__index
      until type(from) ~= "table"
      return keys(names)
    end
    local function methods(of) return members(of, true) end
    -- The shipped Lua keeps no names of its locals, so a table behind a function is known by what it has.
    local function upvalue(fn, with)
      for i = 1, 99 do
        local name, value = debug.getupvalue(fn, i)
        if type(value) == "table" and rawget(value, with) then return value end
        if not name then return {} end
      end
    end
    local view
    local peeking = codec.custom { decode = function(buffer)
      if debug.getmetatable then view = methods(buffer) end
      return buffer:bytes(1, #buffer), #buffer
    end }
    return {
      codec = peeking,
      process_message = function(_, conn, message)
        if message == "bye" then conn:disconnect("bye") else conn:send(message) end
      end,
      on_disconnect = function(node, conn, reason)
        node.state.reason = keys(reason)
        node.state.peer_set = conn.peer
      end,
      calls = {
        look = function(node, what, address)
          -- The node's methods come in groups, with the first use of one of them; its configuration too.
          local _ = node.spawn, node.sleep, node.stats, node.metric, node.config
          if what == "module" then return keys(require(address)) end
          if what == "mistake" then
            local _, problem = pcall(function() return require(address).zzzzzz end)
            return tostring(problem)
          end
          if what == "node fields" then return members(node, false) end
          if what == "node" then return methods(node) end
          if what == "counts" then return keys(node:counts()) end
          if what == "stats" then return keys(node:stats()) end
          if what == "heuristics" then return keys(node:heuristics()) end
          if what == "queue" then return methods(node:queue()) end
          if what == "metric" then return methods(node:metric("seen_total", { kind = "counter" })) end
          if what == "timer" then return methods(node:after(0, print)) end
          if what == "task" then return keys(upvalue(debug.getmetatable(node:spawn(print)).__index, "join")) end
          local conn = assert(node:connect(address))
          if what == "conn fields" then return members(conn, false) end
          if what == "conn" then return methods(conn) end
          if what == "conn stats" then return keys(conn:stats()) end
          if what == "conn options" then
            local _, problem = pcall(conn.set_option, conn, "zzzzzz", 1)
            return tostring(problem)
          end
          if what == "view" then
            conn:request("x")
            return view
          end
          if what == "reason" then
            conn:send("bye")
            while not node.state.reason do node:sleep(0.002) end
            node:disconnect(conn)
            return node.state.reason
          end
        end,
      },
    }
    """

  private func look(_ what: String, _ more: LuaValue? = nil) async throws -> LuaValue {
    try await withNode(Self.observer) { server in
      try await withNode(Self.observer, trusted: true) { node in
        let address = await server.node.address
        return try await node.call("look", [LuaValue(what), more ?? LuaValue("\(address!)")]).first ?? .nil
      }
    }
  }

  private func names(_ shape: APIClass, fields: Bool = true) -> [String] {
    ((fields ? shape.fields.map(\.name) : []) + shape.methods.map(\.name)).sorted()
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["node", "conn"])
  func `A handle has the methods that are declared`(name: String) async throws {
    let shape = name == "node" ? LuaAPI.node : LuaAPI.conn
    #expect(try await look(name).texts == names(shape, fields: false))
  }

  @Test(.timeLimit(.minutes(5))) func `Handles have the fields that are declared`() async throws {
    // These two are not stored: one is asked for, the other is the script's to set.
    #expect(try await (look("node fields").texts + ["address"]).sorted() == LuaAPI.node.fields.map(\.name).sorted())
    #expect(try await (look("conn fields").texts + ["peer"]).sorted() == LuaAPI.conn.fields.map(\.name).sorted())
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["queue", "timer", "task", "metric", "view"])
  func `A made thing has the methods that are declared`(name: String) async throws {
    let shape = [
      "queue": LuaAPI.queue, "timer": LuaAPI.timer, "task": LuaAPI.task, "metric": LuaAPI.metric, "view": LuaAPI.view,
    ][name]!
    #expect(try await look(name).texts == names(shape, fields: false))
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["counts", "stats", "conn stats", "heuristics", "reason"])
  func `A table of results has the fields that are declared`(name: String) async throws {
    let shapes = [
      "counts": LuaAPI.counts, "stats": LuaAPI.statistics, "conn stats": LuaAPI.statistics,
      "heuristics": LuaAPI.heuristics,
      "reason": LuaAPI.reason,
    ]
    // The peer's goodbye has no message of its own.
    let found = try await look(name).texts
    #expect(
      name == "reason"
        ? found.allSatisfy(names(LuaAPI.reason).contains) && found.contains("kind") : found == names(shapes[name]!))
  }

  @Test(.timeLimit(.minutes(5)), arguments: [LuaAPI.codecModule, LuaAPI.json, LuaAPI.log].map(\.name))
  func `A module has what is declared`(name: String) async throws {
    let module = try #require(Document.sections.flatMap(\.modules).first { $0.name == name })
    let declared = (module.fields.map(\.name) + module.functions.map(\.name)).sorted()
    #expect(try await look("module", LuaValue(name)).texts == declared)
    let mistake = try await look("mistake", LuaValue(name)).text ?? ""
    #expect(mistake.contains("\(name) has no") && mistake.contains("known: "), "\(mistake)")
  }

  @Test(.timeLimit(.minutes(5))) func `The socket options are those that are declared`() async throws {
    let message = try await look("conn options").text ?? ""
    #expect(message.list(after: "\" (").map { $0 } == LuaAPI.optionNames.map(\.name), "\(message)")
  }
}
