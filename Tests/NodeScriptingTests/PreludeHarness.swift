import LuaHost

@testable import NodeScripting

/// The shipped Lua chunks that need no network, in a VM of their own with a host written in Lua.
struct PreludeHarness {
  let vm: LuaVM
  private let environment: LuaRef

  /// - Parameters:
  ///   - more: Lua source that finds `lib`, the chunks by name, and adds functions to the table `test`.
  ///   - prepare: gets the VM before anything runs in it.
  init(_ more: String = "", _ prepare: (LuaVM) -> Void = { _ in }) throws {
    vm = try LuaVM(limits: LuaLimits(memory: 256 << 20, time: .seconds(60)), libraries: .sandboxed, context: nil)
    prepare(vm)
    environment = try vm.callNowRef(vm.load(Self.host, chunkName: "=host"))
    let install = vm.field(environment, "install")!
    for (name, source) in Self.chunks {
      let chunk = try source.withUnsafeBytes { bytes in
        Result { () throws(LuaError) in try vm.load(bytes, chunkName: "=moonpeer.\(name)") }
      }.get()
      _ = try vm.callNow(install) { pack in
        pack.string(name)
        pack.ref(chunk)
      }
    }
    let chunk = try vm.load("local test, lib = ...\n" + more, chunkName: "=test")
    let run = vm.field(environment, "run")!
    _ = try vm.callNow(run) { $0.ref(chunk) }
  }

  /// Calls `test.name(…)`.
  @discardableResult
  func call(_ name: String, _ arguments: (inout LuaPack) -> Void = { _ in }) throws -> [LuaValue] {
    try vm.callNow(vm.field(vm.field(environment, "test")!, name)!, arguments)
  }

  /// What the code raises, or nil.
  func failure(of code: String) throws -> String? {
    let chunk = try vm.load("local codec, json, script, args, view_of = ...\n" + code, chunkName: "=author")
    return try vm.callNow(vm.field(environment, "attempt")!) { $0.ref(chunk) }.first?.text
  }

  private static var chunks: [(String, [UInt8])] {
    [
      ("error", PackageResources.error_lua), ("text_words", PackageResources.text_words_lua),
      ("text", PackageResources.text_lua),
      ("json_marks", PackageResources.json_marks_lua), ("json_decode", PackageResources.json_decode_lua),
      ("json_encode", PackageResources.json_encode_lua), ("json", PackageResources.json_lua),
      ("codec_base", PackageResources.codec_base_lua),
      ("codec_pieces", PackageResources.codec_pieces_lua), ("codec_native", PackageResources.codec_native_lua),
      ("codec_composed", PackageResources.codec_composed_lua), ("codec_format", PackageResources.codec_format_lua),
      ("codec_records", PackageResources.codec_records_lua), ("codec_union", PackageResources.codec_union_lua),
      ("codec_makers", PackageResources.codec_makers_lua), ("codec", PackageResources.codec_lua),
      ("args", PackageResources.args_lua),
      ("script_timers", PackageResources.script_timers_lua), ("script", PackageResources.script_lua),
    ]
  }

  /// The natives these chunks use, as far as they use them.
  private static let host = #"""
    local units = { B = 1, KiB = 1024, MiB = 1048576 }
    local host = { lib = {}, text = {}, codec = { __name = "codec", __plain = false } }
    function host.text.size(value, what)
      local count, unit
      if type(value) == "string" then count, unit = value:match("^(%d+)(%a+)$") end
      if units[unit] then return math.tointeger(count) * units[unit] end
      if math.type(value) == "integer" and value >= 0 then return value end
      error(what .. ": not a size: " .. tostring(value), 0)
    end
    function host.text.duration(value, what)
      if type(value) == "number" and value >= 0 then return value end
      local count = type(value) == "string" and value:match("^(%d+)s$")
      if count then return tonumber(count) end
      error(what .. ": not a duration: " .. tostring(value), 0)
    end
    function host.text.nearest(word, names)
      for _, name in ipairs(names) do
        if name:sub(1, 3) == word:sub(1, 3) then return name end
      end
    end
    function host.later(home, name)
      return function(...) return host.lib[home][name](...) end
    end
    local M = { test = {} }
    function M.install(name, chunk)
      local value = chunk(host)
      host.lib[name] = value
      if name == "error" then host.error = value end
    end
    function M.run(chunk) chunk(M.test, host.lib) end
    -- A view over a string, for decoders that are called outside a connection.
    local View = {}
    View.__index = View
    function View.__len(view) return #view[1] end
    function View.find(view, text, from) return (view[1]:find(text, from or 1, true)) end
    function View.bytes(view, at, count)
      if at + count - 1 <= #view[1] then return view[1]:sub(at, at + count - 1) end
    end
    local function view_of(bytes) return setmetatable({ bytes }, View) end
    function M.attempt(chunk)
      local ok, cause = pcall(chunk, host.lib.codec, host.lib.json, host.lib.script, host.lib.args, view_of)
      if not ok then return tostring(cause) end
    end
    return M
    """#
}
