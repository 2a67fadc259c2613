import Logging
import NodeEngine
import Synchronization

/// Where the nodes of scenarios live. A loop that a script holds for ever can only be left, and others take its place.
final class ScenarioLoops: Sendable {
  typealias Environment = @Sendable (Logger) -> NodeEnvironment

  private let current: Mutex<Environment>
  private let fresh: @Sendable () -> Environment

  init(_ first: @escaping Environment, fresh: @escaping @Sendable () -> Environment = ScenarioLoops.another) {
    current = Mutex(first)
    self.fresh = fresh
  }

  /// On the loop whose turn it is.
  func environment(_ logger: Logger) -> NodeEnvironment { current.withLock { $0 }(logger) }

  /// From now on on other loops.
  func leave() {
    let next = fresh()
    current.withLock { $0 = next }
  }

  @Sendable private static func another() -> Environment {
    let loops = EpollLoops(count: 2)
    return { .sockets(on: loops, logger: $0) }
  }
}

/// What an operation gives; nil where it takes longer than the bound: then it goes on, and nobody waits for it.
func within<Result: Sendable>(
  _ bound: Duration, _ operation: @escaping @Sendable () async -> Result
) async -> Result? {
  await withCheckedContinuation { continuation in
    let answer = Answer<Result>(continuation)
    let alarm = Task {
      guard (try? await Task.sleep(for: bound)) != nil else { return }
      answer.give(nil)
    }
    Task {
      let result = await operation()
      alarm.cancel()
      answer.give(result)
    }
  }
}

/// Only the first one counts.
private final class Answer<Result: Sendable>: Sendable {
  private let continuation: Mutex<CheckedContinuation<Result?, Never>?>

  init(_ continuation: CheckedContinuation<Result?, Never>) { self.continuation = Mutex(continuation) }

  func give(_ result: Result?) {
    continuation.withLock { waiting in
      defer { waiting = nil }
      return waiting
    }?.resume(returning: result)
  }
}
