import Foundation
import Testing

/// What the tests of foreign clients rest on.
@Suite struct ToolTests {
  @Test func `A program that is missing is an error that says what to install`() {
    let error = #expect(throws: Tool.Missing.self) { try Tool("no-such-program", package: "no-such-package") }
    #expect(error?.description == "no-such-program is not installed: apt-get install no-such-package (make test does it)")
  }

  @Test(.timeLimit(.minutes(5))) func `A program that does not end is ended`() async throws {
    let output = try await Tool("tail", package: "coreutils").run(["-f", "/dev/null"], seconds: 1)
    #expect(output.status == 9)
  }

  @Test(.timeLimit(.minutes(5))) func `A program gets its input, and its status and both outputs are kept`() async throws {
    let shell = try Tool("sh", package: "dash")
    let output = try await shell.run(["-c", "cat; echo trouble >&2; exit 3"], input: Data("given".utf8))
    #expect(output.status == 3 && output.text == "given" && output.errors == "trouble\n")
  }
}
