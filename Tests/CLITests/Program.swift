import Foundation
import Glibc
import Synchronization
import TestSettings
import Testing

/// What a finished process left behind.
struct Finished: CustomStringConvertible {
  /// The exit status; 128 and the signal's number where a signal ended it.
  var status: Int32
  var output: String
  var errors: String
  var description: String { "status \(status)\n--- stdout\n\(output)--- stderr\n\(errors)" }
}

struct ProgramProblem: Error, CustomStringConvertible {
  var description: String
}

/// A process started as a user would start it; `moonpeer` itself unless another program is named.
///
/// What it writes goes to files, so that nothing it does can block on this side.
final class Program {
  /// Where standard output goes.
  enum Sink {
    case file
    case device(String)
    /// A pipe that nobody reads.
    case closedPipe
    /// Not even a descriptor.
    case nothing
  }

  /// The binary stands next to the test bundle, whose process this is.
  static let moonpeer: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let own = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("moonpeer").path
  }()
  /// Far beyond what any of these runs takes; only a hang reaches it.
  static let deadline = Duration.seconds(150)

  let process: pid_t
  /// Kept for as long as the process may look into it.
  private let folder: Folder
  private let outputPath: String
  private let errorPath: String
  private var status: Int32?

  init(
    _ arguments: [String], program: String = Program.moonpeer, in folder: Folder, environment: [String: String] = [:],
    sink: Sink = .file
  ) throws {
    self.folder = folder
    outputPath = folder.fresh("stdout")
    errorPath = folder.fresh("stderr")
    var variables = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "TERM": "xterm"]
    variables.merge(environment) { $1 }
    // The shell only changes the folder; the process becomes the program.
    let command = ["sh", "-c", "cd \"$0\" && exec \"$@\"", folder.path, program] + arguments
    let problem: Int32
    (process, problem) = Self.spawn(command, variables, sink, outputPath, errorPath)
    guard problem == 0 else {
      throw ProgramProblem(description: "cannot start \(program): \(String(cString: strerror(problem)))")
    }
  }

  // One at a time: no child may inherit the end of another one's pipe.
  private static let spawning = Mutex(())

  private static func spawn(
    _ command: [String], _ variables: [String: String], _ sink: Sink, _ output: String, _ errors: String
  ) -> (pid_t, Int32) {
    spawning.withLock { _ in
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      let create = O_WRONLY | O_CREAT | O_TRUNC
      var ends: [Int32] = [-1, -1]
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      switch sink {
      case .file: posix_spawn_file_actions_addopen(&actions, 1, output, create, 0o600)
      case .device(let path): posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY, 0)
      case .nothing: posix_spawn_file_actions_addclose(&actions, 1)
      case .closedPipe:
        guard pipe(&ends) == 0 else { return (0, errno) }
        close(ends[0])
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[1])
      }
      defer { if ends[1] >= 0 { close(ends[1]) } }
      posix_spawn_file_actions_addopen(&actions, 2, errors, create, 0o600)
      // Or the sockets of other tests would stay open as long as this child lives, and count among its descriptors.
      keep_standard_descriptors(&actions)
      let argv = command.map { strdup($0) } + [nil]
      let envp = variables.map { strdup("\($0)=\($1)") } + [nil]
      defer { for text in argv + envp { free(text) } }
      var process: pid_t = 0
      let problem = posix_spawnp(&process, "sh", &actions, nil, argv, envp)
      return (process, problem)
    }
  }

  deinit {
    guard status == nil else { return }
    kill(process, SIGKILL)
    var raw: Int32 = 0
    waitpid(process, &raw, 0)
  }

  var output: String { (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? "" }
  var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

  func signal(_ number: Int32) { kill(process, number) }

  /// Waits for its end.
  func finish() async throws -> Finished {
    try await eventually("the end of the process") { hasEnded() }
    return Finished(status: status ?? -1, output: output, errors: errors)
  }

  /// Waits until standard output has such a line, and gives it.
  func outputLine(_ part: String) async throws -> String { try await line(part) { output } }

  /// Waits until standard error has such a line, and gives it.
  func errorLine(_ part: String) async throws -> String { try await line(part) { errors } }

  private func line(_ part: String, in text: () -> String) async throws -> String {
    var found: Substring?
    try await eventually("a line with \"\(part)\"") {
      // Only whole lines: the last one may still be growing.
      found = text().split(separator: "\n", omittingEmptySubsequences: false).dropLast().first { $0.contains(part) }
      return found != nil || hasEnded()
    }
    guard let found else { throw ProgramProblem(description: "ended without a line with \"\(part)\"\n\(output)\n\(errors)") }
    return String(found)
  }

  private func hasEnded() -> Bool {
    guard status == nil else { return true }
    var raw: Int32 = 0
    guard waitpid(process, &raw, WNOHANG) == process else { return false }
    let signal = raw & 0x7F
    status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
    return true
  }

  private func eventually(_ what: String, _ condition: () -> Bool) async throws {
    let end = ContinuousClock.now + Self.deadline
    while !condition() {
      guard ContinuousClock.now < end else {
        throw ProgramProblem(description: "waited too long for \(what)\n\(output)\n\(errors)")
      }
      try await Task.sleep(for: .milliseconds(3))
    }
  }
}

/// Runs `moonpeer` to its end.
func moonpeer(
  _ arguments: String..., in folder: Folder, environment: [String: String] = [:], sink: Program.Sink = .file
) async throws -> Finished {
  try await Program(arguments, in: folder, environment: environment, sink: sink).finish()
}
