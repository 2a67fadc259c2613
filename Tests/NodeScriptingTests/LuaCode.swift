import Logging
import LuaHost
import NodeEngine
import NodeScripting

/// What every piece of test code in Lua finds: checks that blame their caller's line.
private let tools = #"""
  local codec, json, log = require "moonpeer.codec", require "moonpeer.json", require "moonpeer.log"
  local function shown(v) return type(v) == "string" and ("%q"):format(v) or tostring(v) end
  local function eq(got, wanted) if got ~= wanted then error("wanted " .. shown(wanted) .. ", got " .. shown(got), 2) end end
  local function has(text, part)
    if not tostring(text):find(part, 1, true) then error(shown(part) .. " is not in " .. shown(tostring(text)), 2) end
  end
  local function raised(fn, ...)
    local ok, cause = pcall(fn, ...)
    if ok then error("nothing was raised", 2) end
    return cause
  end
  local function kind_of(fn, ...)
    local cause = raised(fn, ...)
    return type(cause) == "table" and cause.kind or error("no error table: " .. tostring(cause), 2)
  end
  local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then return a == b end
    for k, v in pairs(a) do if not same(v, b[k]) then return false end end
    for k in pairs(b) do if a[k] == nil then return false end end
    return true
  end
  local function eventually(node, check)
    local deadline = node:now() + 60
    while not check() do
      if node:now() > deadline then error("it never came true", 2) end
      node:sleep(0.001)
    end
  end
  """#.split(separator: "\n").joined(separator: " ")

/// A script from the inside of its table, the tools above in scope; line 1 of the text is line 2 of the script.
func script(_ table: String, before: String = "") -> String {
  tools + " " + before + " return {\n" + table + "\n}"
}

/// Runs Lua code in a node of its own: `node` in scope, its checks are the test's. With a `server` (the inside of a
/// script's table), a node of that script runs beside it: `address` is where it listens, `node:call("server", …)` asks it.
@discardableResult
func inNode(
  _ code: String, hooks: String = "", before: String = "", server: String? = nil, serverBefore: String = "",
  logger: Logger = .quiet, _ change: @Sendable (inout ScriptOptions) -> Void = { _ in }
) async throws -> [LuaValue] {
  let directory = NodeDirectory()
  let text = script("calls = { run = function(node, address)\n" + code + "\nend },\n" + hooks, before: before)
  guard let server else {
    return try await withNode(text, name: "client", logger: logger, change, directory: directory) {
      try await $0.call("run")
    }
  }
  return try await withNode(
    script(server, before: serverBefore), name: "server", logger: logger, change, directory: directory
  ) { server in
    let address = "\(await server.node.address!)"
    return try await withNode(text, name: "client", logger: logger, directory: directory) {
      try await $0.call("run", [LuaValue(address)])
    }
  }
}

extension Logger {
  /// For nodes whose errors are part of the test.
  static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
