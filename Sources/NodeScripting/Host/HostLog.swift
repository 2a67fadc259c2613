package import Logging
import LuaHost

/// `host.log`: a script's log lines, with the node's and the connection's name on them.
enum HostLog {
  static let natives: [(String, LuaNative)] = [("write", write), ("enabled", enabled)]

  /// write(level, text, fields?)
  private static let write: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let level = call.string(1).flatMap(Logger.Level.init(rawValue:)), let text = call.string(2) else {
      return call.raise("usage", "log: a level and a text are expected")
    }
    guard runtime.logger.logLevel <= level else { return call.none() }
    var metadata: Logger.Metadata = [:]
    if let peer = runtime.current?.connection?.address { metadata["peer"] = "\(peer)" }
    if !call.isNil(3) {
      do throws(LuaError) {
        for field in try call.plain(3).table?.fields ?? [] { metadata[field.key.description] = "\(field.value)" }
      } catch {
        return call.raise("usage", "log: the fields must be plain data: \(error.message)")
      }
    }
    runtime.logger.log(level: level, "\(text)", metadata: metadata)
    return call.none()
  }

  /// enabled(level) → whether such a line would be written
  private static let enabled: LuaNative = { state in
    let call = LuaCall(state)
    let level = call.string(1).flatMap(Logger.Level.init(rawValue:))
    let isEnabled = level.map { ScriptRuntime.of(call).logger.logLevel <= $0 } ?? false
    return call.returns { $0.boolean(isEnabled) }
  }
}

extension ScriptError {
  /// What a log line about it carries beside its text.
  package var logMetadata: Logger.Metadata {
    var metadata: Logger.Metadata = ["kind": "\(kind)"]
    if let hook { metadata["hook"] = "\(hook)" }
    if let peer { metadata["peer"] = "\(peer)" }
    if let traceback { metadata["traceback"] = "\(traceback)" }
    return metadata
  }
}
