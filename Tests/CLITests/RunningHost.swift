import Glibc
import Testing

/// A `moonpeer run` with its console in the folder, where the commands of the same folder find it.
struct RunningHost {
  let program: Program
  let folder: Folder

  /// What its clients need to find it.
  var environment: [String: String] { Self.environment(folder) }

  static func environment(_ folder: Folder) -> [String: String] {
    ["XDG_RUNTIME_DIR": folder.path, "XDG_STATE_HOME": folder.path + "/state"]
  }

  /// Runs a script of the folder, until the console is open.
  init(_ script: String, _ arguments: [String] = [], in folder: Folder) async throws {
    self.folder = folder
    program = try Program(["run", script] + arguments, in: folder, environment: Self.environment(folder))
    _ = try await program.outputLine(" listens on ")
    _ = try await program.errorLine("console at \(folder.path)/moonpeer/")
  }

  /// Runs a command beside it.
  func moonpeer(_ arguments: String...) async throws -> Finished {
    try await Program(arguments, in: folder, environment: environment).finish()
  }

  func stop() async throws {
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 0, "\(run)")
  }
}
