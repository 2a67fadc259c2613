import Glibc
public import NIOCore
import NIOPosix
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

  public func giveWay(_ action: @escaping () -> Void) {
    let late: TimedLateWork
    if let known = TimedLateWork.ofThread.currentValue {
      late = known
    } else {
      late = TimedLateWork(loop)
      TimedLateWork.ofThread.currentValue = late
    }
    late.append(action)
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

/// What gives way on a loop of NIO's. That runs all that is deferred before it looks at its sockets, so only a timer gives
/// way, and only one: of two, either would be due by the time the other's work is done.
///
/// Unchecked: each is touched on its loop's thread only.
private final class TimedLateWork: @unchecked Sendable {
  /// Each loop has a thread of its own.
  static let ofThread = ThreadSpecificVariable<TimedLateWork>()

  private let loop: any EventLoop
  private let work = LateWork()
  private var isScheduled = false

  init(_ loop: any EventLoop) { self.loop = loop }

  func append(_ action: @escaping () -> Void) {
    work.append(action)
    if !isScheduled { schedule() }
  }

  private func schedule() {
    isScheduled = true
    loop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { [self] in
      work.run { Int64(NIODeadline.now().uptimeNanoseconds) }
      isScheduled = false
      if !work.isEmpty { schedule() }
    }
  }
}

private struct LoopTimer: ScheduledTimer {
  let action: () -> Void
  func cancel() { action() }
}
