import Logging
import NodeEngine
import Testing

/// What carries the sockets of the nodes that the current test makes.
enum Backend: CaseIterable, CustomStringConvertible {
  case nio, epoll
  /// Two loops beside the node's own read and write.
  case epollWithIOLoops

  @TaskLocal static var current: Backend = SocketBackend.standard == .nio ? .nio : .epoll

  func environment(logger: Logger = Logger(label: "moonpeer")) -> NodeEnvironment {
    switch self {
    case .nio: return .sockets(.nio, logger: logger)
    case .epoll: return .sockets(.epoll, logger: logger)
    case .epollWithIOLoops:
      var environment = NodeEnvironment.sockets(.epoll, logger: logger)
      environment.transport = try! EpollTransport(ioLoops: 2)
      return environment
    }
  }

  var description: String {
    switch self {
    case .nio: "NIO"
    case .epoll: "epoll"
    case .epollWithIOLoops: "epoll with two I/O loops"
    }
  }
}

/// Runs each test of a suite on every backend in turn: they promise the same.
struct OnEveryBackend: SuiteTrait, TestTrait, TestScoping {
  let isRecursive = true

  func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    for backend in Backend.allCases {
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
  /// Each test runs once over NIO, once over epoll, and once over epoll with I/O loops.
  static var onEveryBackend: Self { Self() }
}
