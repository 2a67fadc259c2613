import Foundation
import TestSettings
import Testing

/// The chaos test itself, in a process of its own, whose descriptors, memory and end are all its own.
@Suite(.serialized) struct ChaosTests {
  private struct Ended: CustomStringConvertible {
    var status: Int32
    var output: String
    var description: String { "status \(status)\n\(output)" }
  }

  /// Runs `chaos`, which stands beside the test bundle, to its end.
  private func chaos(_ arguments: [String]) async throws -> Ended {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let program = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("Chaos").path
    let output = FileManager.default.temporaryDirectory.appendingPathComponent("chaos-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: output) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    keep_standard_descriptors(&actions)
    let argv = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for text in argv { free(text) } }
    var process: pid_t = 0
    let problem = posix_spawn(&process, program, &actions, nil, argv, environ)
    try #require(problem == 0, "cannot start \(program): \(String(cString: strerror(problem)))")
    // The other tests go first: this one measures nothing, and has patience.
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), UInt32(process), 5)
    // It ends by itself: its own watchdog sees to that.
    let id = process
    let raw = await Task.detached {
      var raw: Int32 = 0
      while waitpid(id, &raw, WNOHANG) == 0 { try? await Task.sleep(for: .milliseconds(50)) }
      return raw
    }.value
    let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
    return Ended(status: raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F), output: text)
  }

  private func setting(_ name: String, _ fallback: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? fallback
  }

  @Test(.timeLimit(.minutes(15))) func `Chaos keeps every invariant`() async throws {
    let seed = setting("MOONPEER_CHAOS_SEED", .random(in: 1...999_999))
    let seconds = setting("MOONPEER_CHAOS_SECONDS", 20)
    let patience = setting("MOONPEER_CHAOS_PATIENCE", 2)
    let ended = try await chaos(["--seconds", "\(seconds)", "--seed", "\(seed)", "--patience", "\(patience)"])
    #expect(ended.status == 0 && ended.output.contains("CHAOS PASSED with seed \(seed)"), "\(ended)")
  }

  @Test(.timeLimit(.minutes(15))) func `Connections that come and go leave nothing behind`() async throws {
    let ended = try await chaos(["--cycles", "\(setting("MOONPEER_CHAOS_CYCLES", 2000))"])
    #expect(ended.status == 0 && ended.output.contains("CYCLES PASSED"), "\(ended)")
  }
}
