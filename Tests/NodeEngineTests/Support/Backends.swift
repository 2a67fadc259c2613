import Logging
import Testing

@testable import NodeEngine

/// What carries the sockets of the nodes that the current test makes.
enum Backend: CaseIterable, CustomStringConvertible {
  case nio, epoll
  /// Two loops beside the node's own read and write.
  case epollWithIOLoops
  /// As a loop works where the system has no io_uring, or forbids it.
  case epollOneByOne

  private static let oneByOne = EpollLoops(count: 2, lingering: .shared, calls: .oneByOne)

  @TaskLocal static var current: Backend = SocketBackend.standard == .nio ? .nio : .epoll

  /// - Parameter loops: for the backends that are epoll as it is.
  func environment(logger: Logger = Logger(label: "moonpeer"), on loops: EpollLoops = .shared) -> NodeEnvironment {
    switch self {
    case .nio: return .sockets(.nio, logger: logger)
    case .epoll: return .sockets(on: loops, logger: logger)
    case .epollWithIOLoops:
      var environment = NodeEnvironment.sockets(on: loops, logger: logger)
      environment.transport = try! EpollTransport(ioLoops: 2)
      return environment
    case .epollOneByOne: return .sockets(on: Self.oneByOne, logger: logger)
    }
  }

  var description: String {
    switch self {
    case .nio: "NIO"
    case .epoll: "epoll"
    case .epollWithIOLoops: "epoll with two I/O loops"
    case .epollOneByOne: "epoll, one call after the other"
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
  /// Each test runs over NIO, over epoll, over epoll with I/O loops, and over epoll without io_uring.
  static var onEveryBackend: Self { Self() }
}
