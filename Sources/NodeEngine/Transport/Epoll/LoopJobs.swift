import Synchronization

/// Something to run on a loop.
///
/// Unchecked: an action from another thread is `@Sendable` (see ``Scheduler/execute(_:)``), any other stays on the loop.
enum LoopJob: @unchecked Sendable {
  case action(() -> Void)
  /// A step of an actor that lives on the loop.
  case actor(UnownedJob)
  /// A step of a task that prefers the loop.
  case task(UnownedJob)
}

/// What other threads leave for a loop, and whether it must be woken for it.
final class LoopMailbox: Sendable {
  private let jobs = Mutex<[LoopJob]?>([])
  private let hasMail = Atomic(false)
  private let isAsleep = Atomic(false)

  /// Leaves a job; true where the loop must be woken. Once it has ended the job is let go of.
  func post(_ job: LoopJob) -> Bool {
    jobs.withLock {
      $0?.append(job)
      hasMail.store(true, ordering: .sequentiallyConsistent)
    }
    return isAsleep.exchange(false, ordering: .sequentiallyConsistent)
  }

  /// The loop has ended: what is there will never run, and may hold the loop.
  func close() {
    let rest = jobs.withLock { jobs in
      defer { jobs = nil }
      return jobs
    }
    // Not under the lock: what it held may post something as it goes.
    _ = rest
  }

  /// The loop is about to wait; false where it must not, because there is mail.
  ///
  /// Either this sees the mail or `post` sees the sleeper: both write before they look.
  func fallAsleep() -> Bool {
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    guard hasMail.load(ordering: .sequentiallyConsistent) else { return true }
    wake()
    return false
  }

  func wake() { isAsleep.store(false, ordering: .relaxed) }

  /// Adds what there is to the loop's own jobs.
  func take(into own: inout [LoopJob]) {
    guard hasMail.load(ordering: .acquiring) else { return }
    jobs.withLock { posted in
      hasMail.store(false, ordering: .relaxed)
      guard let count = posted?.count else { return }
      own.append(contentsOf: posted!)
      posted!.removeAll(keepingCapacity: count < 1024)
    }
  }
}
