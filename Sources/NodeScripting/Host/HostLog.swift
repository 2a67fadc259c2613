package import Logging
import LuaHost
import NodeEngine

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
    let connection = runtime.current?.connection
    var metadata = connection?.connection.logMetadata ?? [:]
    if !call.isNil(3) {
      do throws(LuaError) {
        for field in try call.plain(3).table?.fields ?? [] {
          metadata[own(field.key.description, hasPeer: connection != nil)] = "\(field.value)"
        }
      } catch {
        return call.raise("usage", "log: the fields must be plain data: \(error.message)")
      }
    }
    runtime.logger.log(level: level, "\(text)", metadata: metadata)
    return call.none()
  }

  /// What says whose line it is cannot be said by a script: its own field of that name gets a `_` behind it.
  private static func own(_ name: String, hasPeer: Bool) -> String {
    let isTaken = ["node", "generation", "conn", "script"].contains(name) || (hasPeer && name == "peer")
    return isTaken ? name + "_" : name
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
    if let connection { metadata["conn"] = "\(connection)" }
    if let peer { metadata["peer"] = "\(peer)" }
    if let traceback { metadata["traceback"] = "\(traceback)" }
    return metadata
  }
}
