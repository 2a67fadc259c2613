import Dispatch
import Glibc
import NodeCore
import NodeEngine
import Synchronization

/// Everything of a run on one thread, in one order, without clock or kernel: what it executes is the same every time.
///
/// Unchecked: all but the mailbox is touched by the thread that calls ``run(_:)``.
final class ReplayLoop: Scheduler, SerialExecutor, @unchecked Sendable {
  enum Job: @unchecked Sendable {
    case action(() -> Void)
    case actor(UnownedJob)
    case task(UnownedJob)
  }

  private var jobs: [Job] = []
  private var whenQuiet: [CheckedContinuation<Void, Never>] = []
  private let mailbox = Mutex<[Job]>([])
  private let hasMail = DispatchSemaphore(value: 0)
  private let thread = pthread_self()
  private lazy var tasks = ReplayTaskExecutor(self)

  /// Runs on the calling thread, which must be the one that made the loop, until the body has returned.
  func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
    let result = Mutex<Result<T, any Error>?>(nil)
    startTask {
      let made: Result<T, any Error>
      do { made = .success(try await body()) } catch { made = .failure(error) }
      result.withLock { $0 = made }
    }
    while true {
      if let made = result.withLock({ $0 }) { return try made.get() }
      step()
    }
  }

  /// Waits until nothing is left to do.
  func quiet() async {
    await withCheckedContinuation { whenQuiet.append($0) }
  }

  private func step() {
    if jobs.isEmpty, !whenQuiet.isEmpty {
      whenQuiet.removeFirst().resume()
    } else if jobs.isEmpty {
      hasMail.wait()
      mailbox.withLock { posted in
        jobs.append(contentsOf: posted)
        posted = []
      }
    }
    var batch: [Job] = []
    swap(&batch, &jobs)
    for job in batch {
      switch job {
      case .action(let action): action()
      case .actor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
      case .task(let job): job.runSynchronously(on: tasks.asUnownedTaskExecutor())
      }
    }
  }

  fileprivate func post(_ job: Job) {
    if pthread_self() == thread { return jobs.append(job) }
    mailbox.withLock { $0.append(job) }
    hasMail.signal()
  }

  // The executor of the nodes

  func enqueue(_ job: consuming ExecutorJob) { post(.actor(UnownedJob(job))) }
  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  func isIsolatingCurrentContext() -> Bool? { pthread_self() == thread }
  func checkIsolated() { precondition(pthread_self() == thread, "called on another thread than that of the replay") }

  // Their scheduler

  var executor: any SerialExecutor { self }
  /// Time stands still.
  var now: MonotonicTime { MonotonicTime(nanoseconds: 0) }
  var wallClock: Double { 0 }
  /// Never: what is measured does not wait for time to pass.
  func schedule(after delay: Duration, _ action: @escaping () -> Void) -> any ScheduledTimer { NoTimer() }
  func `defer`(_ action: @escaping () -> Void) { jobs.append(.action(action)) }
  func execute(_ action: @escaping @Sendable () -> Void) { post(.action(action)) }

  @discardableResult
  func startTask(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: tasks) { await body() }
  }

  func makeGenerator(purpose: String) -> SeededGenerator { SeededGenerator(seed: 1).split(purpose) }
}

private struct NoTimer: ScheduledTimer {
  func cancel() {}
}

private final class ReplayTaskExecutor: TaskExecutor {
  // The loop owns it.
  private unowned let loop: ReplayLoop
  init(_ loop: ReplayLoop) { self.loop = loop }
  func enqueue(_ job: consuming ExecutorJob) { loop.post(.task(UnownedJob(job))) }
}
