import Logging
import NodeAdmin
import NodeScripting

/// The console of one `moonpeer run`: `--console`.
enum RunConsole {
  /// - Parameter wish: a path, `off`, or nil: the user's own folder.
  /// - Returns: nil where there is none.
  /// - Throws: status `cannotCreate` where the path that was asked for cannot be had.
  static func open(
    _ wish: String?, nodes: [ScriptedNode], levels: LogLevels, logger: Logger
  ) async throws(CommandFailure) -> ConsoleServer? {
    guard wish != "off" else { return nil }
    let host = ConsoleHost(version: Version.text, nodes: { nodes }, setLogLevel: { levels.set($0, to: $1) })
    do throws(AdminError) {
      let server = if let wish { try await ConsoleServer.start(host, at: wish) } else { try await ConsoleServer.start(host) }
      logger.info("console at \(server.path)")
      return server
    } catch {
      if wish != nil { throw CommandFailure(.cannotCreate, "--console: \(error.message)") }
      // Nobody asked for it.
      logger.warning("there is no console: \(error.message)")
      return nil
    }
  }
}
