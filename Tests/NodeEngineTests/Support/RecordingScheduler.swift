import Logging
import NodeCore
import NodeEngine
import Synchronization

/// A loop's own time and order, and a list of how far ahead timers were set.
final class RecordingScheduler: Scheduler {
  /// A world with NIO's sockets and one of these.
  static func environment() -> (NodeEnvironment, RecordingScheduler) {
    var environment = NodeEnvironment.sockets(.nio)
    environment.logger.logLevel = .critical
    let scheduler = RecordingScheduler(environment.scheduler)
    environment.scheduler = scheduler
    environment.transport = RecordedTransport(transport: environment.transport)
    return (environment, scheduler)
  }

  fileprivate let loop: any Scheduler
  private let asked = Mutex<[Duration]>([])

  init(_ loop: any Scheduler) { self.loop = loop }

  var delays: [Duration] { asked.withLock { $0 } }

  var executor: any SerialExecutor { loop.executor }
  var now: MonotonicTime { loop.now }
  var wallClock: Double { loop.wallClock }

  func schedule(after delay: Duration, _ action: @escaping () -> Void) -> any ScheduledTimer {
    asked.withLock { $0.append(delay) }
    return loop.schedule(after: delay, action)
  }

  func `defer`(_ action: @escaping () -> Void) { loop.defer(action) }
  func execute(_ action: @escaping @Sendable () -> Void) { loop.execute(action) }
  func startTask(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> { loop.startTask(body) }
  func makeGenerator(purpose: String) -> SeededGenerator { loop.makeGenerator(purpose: purpose) }
}

/// NIO's, on the loop behind a ``RecordingScheduler``.
private final class RecordedTransport: Transport {
  private let transport: any Transport

  init(transport: any Transport) { self.transport = transport }

  private func loop(_ scheduler: any Scheduler) -> any Scheduler { (scheduler as? RecordingScheduler)?.loop ?? scheduler }

  func resolve(
    _ address: PeerAddress, on scheduler: any Scheduler,
    completion: @escaping (Result<[PeerAddress], NodeError>) -> Void
  ) {
    transport.resolve(address, on: loop(scheduler), completion: completion)
  }

  func dial(
    _ address: PeerAddress, options: DialOptions, timeout: Duration, on scheduler: any Scheduler,
    completion: @escaping (Result<any ByteStream, NodeError>) -> Void
  ) -> (any PendingDial)? {
    transport.dial(address, options: options, timeout: timeout, on: loop(scheduler), completion: completion)
  }

  func listen(
    on address: PeerAddress, options: ListenOptions, delegate: any ListenerDelegate, on scheduler: any Scheduler,
    completion: @escaping (Result<any Listener, NodeError>) -> Void
  ) {
    transport.listen(on: address, options: options, delegate: delegate, on: loop(scheduler), completion: completion)
  }
}
