import Glibc
public import NodeCore

extension EpollLoop: SerialExecutor {
  public func enqueue(_ job: consuming ExecutorJob) { post(.actor(UnownedJob(job))) }
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  public func isIsolatingCurrentContext() -> Bool? { isCurrent }
  public func checkIsolated() { precondition(isCurrent, "called on another thread than that of \(name)") }
}

extension EpollLoop: Scheduler {
  public var executor: any SerialExecutor { self }

  static func clock() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  public var now: MonotonicTime { MonotonicTime(nanoseconds: Self.clock()) }

  public var wallClock: Double { RealWorld.wallClock }

  /// Up to a millisecond late: so fine is epoll's clock.
  @discardableResult
  public func schedule(after delay: Duration, _ action: @escaping () -> Void) -> any ScheduledTimer {
    assert(isCurrent)
    let (deadline, isOver) = Self.clock().addingReportingOverflow(delay.wholeNanoseconds)
    return timers.add(at: isOver ? .max : deadline, action)
  }

  public func `defer`(_ action: @escaping () -> Void) {
    assert(isCurrent)
    append(.action(action))
  }

  public func giveWay(_ action: @escaping () -> Void) {
    assert(isCurrent)
    late.append(action)
  }

  public func execute(_ action: @escaping @Sendable () -> Void) { post(.action(action)) }

  @discardableResult
  public func startTask(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: taskExecutor) { await body() }
  }

  public func makeGenerator(purpose: String) -> SeededGenerator { RealWorld.makeGenerator(purpose: purpose) }
}

/// Runs tasks on the loop from their first step, so that they start in the order in which they were made.
final class EpollTaskExecutor: TaskExecutor {
  // The loop owns it.
  private unowned let loop: EpollLoop
  init(_ loop: EpollLoop) { self.loop = loop }
  func enqueue(_ job: consuming ExecutorJob) { loop.post(.task(UnownedJob(job))) }
}
