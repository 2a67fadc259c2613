import Foundation
import Testing

/// Tests/External: a package of its own that embeds nodes through the public Swift API.
@Suite struct ExternalPackageTests {
  // A cold build of the dependencies takes a minute or two on four idle cores, a warm one seconds. The build folder lies
  // in ours and is kept, and what is fetched comes from SwiftPM's cache, so only the first run on a machine is cold.
  @Test(.timeLimit(.minutes(25))) func `Another package can embed a scripted node, a Swift node and a scenario`() async throws {
    let swift = try Tool.swift()
    let package = Repository.path("Tests/External")
    // The versions we are tested with.
    let resolved = Repository.root.appending(path: "Package.resolved")
    let target = Repository.root.appending(path: "Tests/External/Package.resolved")
    if let pins = try? Data(contentsOf: resolved), pins != (try? Data(contentsOf: target)) { try pins.write(to: target) }
    // A cached plan of the build does not notice that files came or went in a package it depends on by path.
    let said = try await swift.expect(
      [
        "run", "--package-path", package, "--scratch-path", Repository.path(".build/external"),
        "--disable-build-manifest-caching", "--quiet", "Embedding", package,
      ], seconds: 1200)
    #expect(said.hasSuffix("embedding works\n"), "\(said)")
  }
}
