import Foundation
import Testing

/// Tests/Hostile in short: attackers of every kind against a node in a process of its own. `make hostile` is the long form.
@Suite struct HostilePeerTests {
  @Test(.timeLimit(.minutes(5)), arguments: ["epoll", "nio", "epoll+2"])
  func `Each attack costs its attacker only, and is counted by its name`(backend: String) async throws {
    try await attack("check", backend)
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["epoll", "nio"])
  func `Without descriptors a node goes on for the peers it has, and does not spin`(backend: String) async throws {
    try await attack("exhaust", backend)
  }

  private func attack(_ way: String, _ backend: String) async throws {
    let program = Repository.path("Tests/Hostile/hostile.py")
    _ = try await Tool.python().expect([program, way, Repository.binary, backend], seconds: 200)
  }
}
