import LuaHost
import Synchronization

/// The Lua that comes with Moonpeer: its text, compiled by the first VM of the process that needs it.
enum ShippedLua {
  private static let compiled = Mutex<[String: [UInt8]]>([:])

  /// A shipped chunk as a function of `vm`; nil where there is none of that name.
  ///
  /// - Parameter source: the text of a chunk of another module; nil: one of this module's.
  static func load(_ name: String, source: [UInt8]?, in vm: LuaVM) throws(LuaError) -> LuaRef? {
    let chunkName = "=moonpeer.\(name)"
    if let known = compiled.withLock({ $0[name] }) { return try vm.load(compiled: known, chunkName: chunkName) }
    guard let source = source ?? sources[name] else { return nil }
    let made = try source.withUnsafeBytes { text in
      Result { () throws(LuaError) in try vm.compile(text, chunkName: chunkName) }
    }.get()
    compiled.withLock { $0[name] = made }
    return try vm.load(compiled: made, chunkName: chunkName)
  }

  /// What a node lets go of once it has started, or moved: chunks that keep no state; see `forgetting.lua`.
  static let passing: Set = [
    "loading", "script", "script_timers", "args", "text", "text_words", "require", "codec_base", "codec_makers",
    "codec_native", "node_handle", "reload",
  ]

  private static let sources: [String: [UInt8]] = [
    "args": PackageResources.args_lua,
    "codec": PackageResources.codec_lua,
    "codec_base": PackageResources.codec_base_lua,
    "codec_composed": PackageResources.codec_composed_lua,
    "codec_format": PackageResources.codec_format_lua,
    "codec_makers": PackageResources.codec_makers_lua,
    "codec_native": PackageResources.codec_native_lua,
    "codec_pieces": PackageResources.codec_pieces_lua,
    "codec_records": PackageResources.codec_records_lua,
    "codec_union": PackageResources.codec_union_lua,
    "conn": PackageResources.conn_lua,
    "console": PackageResources.console_lua,
    "dispatch": PackageResources.dispatch_lua,
    "error": PackageResources.error_lua,
    "forgetting": PackageResources.forgetting_lua,
    "glue": PackageResources.glue_lua,
    "inbox": PackageResources.inbox_lua,
    "json": PackageResources.json_lua,
    "json_decode": PackageResources.json_decode_lua,
    "json_encode": PackageResources.json_encode_lua,
    "json_marks": PackageResources.json_marks_lua,
    "lib": PackageResources.lib_lua,
    "loading": PackageResources.loading_lua,
    "log": PackageResources.log_lua,
    "modules": PackageResources.modules_lua,
    "node": PackageResources.node_lua,
    "node_config": PackageResources.node_config_lua,
    "node_handle": PackageResources.node_handle_lua,
    "node_metric": PackageResources.node_metric_lua,
    "node_network": PackageResources.node_network_lua,
    "node_tasks": PackageResources.node_tasks_lua,
    "node_time": PackageResources.node_time_lua,
    "queue": PackageResources.queue_lua,
    "reload": PackageResources.reload_lua,
    "require": PackageResources.require_lua,
    "script": PackageResources.script_lua,
    "script_timers": PackageResources.script_timers_lua,
    "tasks": PackageResources.tasks_lua,
    "text": PackageResources.text_lua,
    "text_words": PackageResources.text_words_lua,
    "timers": PackageResources.timers_lua,
    "waiting": PackageResources.waiting_lua,
  ]
}
