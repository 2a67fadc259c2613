import Glibc
public import NIOCore
public import NodeCore

/// The real world's scheduler: one NIO event loop.
public final class LoopScheduler: Scheduler {
  /// The event loop everything runs on.
  public let loop: any EventLoop
  private let tasks: LoopTaskExecutor

  public init(_ loop: any EventLoop) {
    self.loop = loop
    tasks = LoopTaskExecutor(loop: loop)
  }

  public var executor: any SerialExecutor { loop.executor }

  public var now: MonotonicTime { MonotonicTime(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds)) }

  public var wallClock: Double { RealWorld.wallClock }

  @discardableResult
  public func schedule(after delay: Duration, _ action: @escaping () -> Void) -> any ScheduledTimer {
    let scheduled = loop.assumeIsolated().scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) { action() }
    return LoopTimer { scheduled.cancel() }
  }

  public func `defer`(_ action: @escaping () -> Void) {
    loop.assumeIsolated().execute(action)
  }

  public func execute(_ action: @escaping @Sendable () -> Void) {
    loop.execute(action)
  }

  @discardableResult
  public func startTask(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: tasks) { await body() }
  }

  public func makeGenerator(purpose: String) -> SeededGenerator { RealWorld.makeGenerator(purpose: purpose) }
}

/// Runs tasks on the loop from their first step, so that they start in the order in which they were made.
private final class LoopTaskExecutor: TaskExecutor {
  private let loop: any EventLoop
  init(loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

private struct LoopTimer: ScheduledTimer {
  let action: () -> Void
  func cancel() { action() }
}
