import Foundation

/// For what has to keep a pace: Swift's own threads are all tests', and one of them may be held up for seconds.
func onOwnThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: body()) }
  }
}
