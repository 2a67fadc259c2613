import NodeEngine
import Testing

/// What carries the sockets of the nodes that the current test makes.
enum Backend {
  @TaskLocal static var current = SocketBackend.standard
}

/// Runs each test of a suite on every backend in turn: they promise the same.
struct OnEveryBackend: SuiteTrait, TestTrait, TestScoping {
  let isRecursive = true

  func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    for backend in SocketBackend.allCases {
      let naming = IssueHandlingTrait.compactMapIssues { issue in
        var issue = issue
        issue.comments.append("over \(backend)")
        return issue
      }
      try await naming.provideScope(for: test, testCase: testCase) {
        try await Backend.$current.withValue(backend) { try await body() }
      }
    }
  }
}

extension Trait where Self == OnEveryBackend {
  /// Each test runs once over NIO and once over epoll.
  static var onEveryBackend: Self { Self() }
}
