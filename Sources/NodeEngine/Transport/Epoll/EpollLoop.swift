import CEpoll
import Glibc
import Synchronization

/// A thread that waits for sockets, timers and jobs, and the executor of the actors that live on it.
///
/// A tick: what epoll tells, those who had to stop for others in the tick before, timers, jobs; where much is read,
/// timers and jobs have their turn in between, too. What gives way comes last, a short while of it. All but `execute`,
/// `enqueue` and `stop` is called on it.
public final class EpollLoop: @unchecked Sendable {
  // Unchecked: everything but the mailbox and the thread's number is touched by the loop's thread only.

  /// How many each takes: epoll, the way to wake it, and the ring.
  package static let descriptors = 3
  /// Where reads go, of all connections: what is not handled at once is copied, so an idle connection has no buffer.
  static let readSize = 256 << 10
  /// Jobs that jobs have made run in the same tick, but not for ever: sockets want their turn.
  private static let jobRounds = 4
  /// So much read, and timers and jobs have their turn. A script may take milliseconds for it, and a tick of many floods
  /// hundreds of them.
  private static let readBetweenJobs = readSize
  private static let wakeUpData = UInt64.max

  @exclusivity(unchecked) private(set) var readBuffer = ReadBuffers.shared.take()
  private let calls: SocketCalls
  private let ring = SocketRing()
  let line: WriteLine
  let batch: ReadBatch
  let timers = EpollTimers()
  let name: String
  let lingering: Lingering
  private let mailbox = LoopMailbox()
  private let thread = Atomic<UInt>(0)
  private let epoll: Int32
  private let wakeUp: Int32
  // Touched on one thread and never while lent out: checking each access at run time would find nothing.
  @exclusivity(unchecked) private(set) var events: ReadyEvents
  @exclusivity(unchecked) private var sources = SourceTable()
  @exclusivity(unchecked) private var againSources: [EpollSource] = []
  @exclusivity(unchecked) private var jobs: [LoopJob] = []
  @exclusivity(unchecked) private var readSinceJobs = 0
  /// Epoll told of one source only.
  @exclusivity(unchecked) private(set) var hasOneEvent = false
  let late = LateWork()
  /// See ``Scheduler/turn``.
  @exclusivity(unchecked) public private(set) var turn: UInt64 = 0
  @exclusivity(unchecked) private var isStopping = false
  /// The streams of its nodes that I/O loops carry, for its end.
  @exclusivity(unchecked) var relayed: [ObjectIdentifier: RelayedStream] = [:]
  private var isTrimScheduled = false
  private var whenStopped: [@Sendable () -> Void] = []
  private lazy var ownTaskExecutor = EpollTaskExecutor(self)
  /// For tasks that have much to do with the nodes of this loop (`withTaskExecutorPreference`): on it they need no other thread
  /// to be woken, there and back. Meanwhile the nodes wait. Not to be used once the loop has ended.
  public var taskExecutor: any TaskExecutor { ownTaskExecutor }

  /// Starts its thread, which runs until ``stop(_:)``.
  ///
  /// - Throws: code `system` where there are no descriptors or threads left.
  init(name: String, lingering: Lingering, calls: SocketCalls = .standard) throws(NodeError) {
    self.name = name
    self.lingering = lingering
    self.calls = calls
    line = WriteLine(ring)
    batch = ReadBatch(ring, line)
    epoll = cepoll_create()
    events = ReadyEvents(epoll)
    wakeUp = cepoll_eventfd()
    guard epoll >= 0 && wakeUp >= 0 else { throw Self.refused("needs two descriptors, and none are left; raise ulimit -n") }
    guard cepoll_add(epoll, wakeUp, CEPOLL_IN, Self.wakeUpData) == 0 else {
      throw Self.refused("cannot watch a descriptor: \(String(cString: strerror(errno)))")
    }
    _ = ownTaskExecutor
    let thread = Unmanaged.passRetained(self)
    var id = pthread_t()
    let status = pthread_create(
      &id, nil,
      { loop in
        Unmanaged<EpollLoop>.fromOpaque(loop!).takeRetainedValue().run()
        return nil
      }, thread.toOpaque())
    guard status == 0 else {
      thread.release()
      throw Self.refused("needs a thread, and the system refuses one: \(String(cString: strerror(status)))")
    }
    pthread_detach(id)
  }

  private static func refused(_ why: String) -> NodeError { NodeError(code: .system, message: "an event loop \(why)") }

  deinit {
    // Not before: other threads may still wake a loop that has ended.
    Glibc.close(epoll)
    Glibc.close(wakeUp)
    ReadBuffers.shared.give(back: readBuffer)
    events.deallocate()
  }

  /// Whether the caller runs on the loop's thread.
  var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  // Sources

  /// Watches a source's descriptor for everything; false where the system refuses.
  func add(_ source: EpollSource) -> Bool {
    let (slot, data) = sources.reserve()
    let events = CEPOLL_IN | CEPOLL_PRI | CEPOLL_OUT | CEPOLL_RDHUP
    guard cepoll_add(epoll, source.descriptor, events, data) == 0 else {
      sources.giveBack(slot)
      return false
    }
    sources.put(source, at: slot)
    return true
  }

  /// Another source for the same descriptor: a dial becomes a stream.
  func replace(_ old: EpollSource, with new: EpollSource) { sources.replace(old, with: new) }

  /// Closes a source's descriptor, which takes it out of epoll too; events on their way find nobody.
  func close(_ source: EpollSource) {
    guard source.slot >= 0 else { return }
    sources.forget(source)
    Glibc.close(source.descriptor)
  }

  /// Lets a source go on in the next tick.
  func goOn(_ source: EpollSource) {
    guard !source.isAgain else { return }
    source.isAgain = true
    againSources.append(source)
  }

  /// A source has read so much.
  @inline(__always)
  func noteRead(_ count: Int) {
    readSinceJobs += count
    events.noteRead(count)
  }

  /// Stops watching a source's descriptor, which stays open.
  func release(_ source: EpollSource) {
    guard source.slot >= 0 else { return }
    cepoll_remove(epoll, source.descriptor)
    sources.forget(source)
  }

  /// The buffer that was just read into is the caller's from now on: see ``ReadBuffers``.
  func takeReadBuffer() -> UnsafeMutableRawPointer {
    trimReadBuffersLater()
    defer { readBuffer = ReadBuffers.shared.take() }
    return readBuffer
  }

  private func trimReadBuffersLater() {
    guard !isTrimScheduled else { return }
    isTrimScheduled = true
    schedule(after: ReadBuffers.trimInterval) { [self] in
      isTrimScheduled = false
      if ReadBuffers.shared.trim() { trimReadBuffersLater() }
    }
  }

  // Jobs

  func append(_ job: LoopJob) { jobs.append(job) }

  func post(_ job: LoopJob) {
    if isCurrent {
      jobs.append(job)
    } else if mailbox.post(job) {
      cepoll_signal(wakeUp)
    }
  }

  /// Ends the loop and everything on it; jobs that are posted later never run.
  func stop(_ completion: @escaping @Sendable () -> Void) {
    post(
      .action { [self] in
        isStopping = true
        whenStopped.append(completion)
      })
  }

  // The thread

  private func run() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    cepoll_name_thread(name)
    ring.open(calls)
    while !isStopping {
      let count = events.wait(waitingTime())
      mailbox.wake()
      hasOneEvent = count == 1
      turn &+= 1
      for index in 0..<max(0, count) {
        tell(events[index])
        pauseReading()
      }
      runAgain()
      batch.handle()
      runTimersAndJobs()
      let isBusy = count > 0 || !jobs.isEmpty || !againSources.isEmpty
      if isBusy { late.runIfOld(clock: Self.clock) } else { late.run(clock: Self.clock) }
    }
    finish()
  }

  private func pauseReading() {
    guard readSinceJobs >= Self.readBetweenJobs else { return }
    batch.handle()
    runTimersAndJobs()
  }

  private func runTimersAndJobs() {
    readSinceJobs = 0
    if timers.count > 0 { timers.run(until: Self.clock()) }
    runJobs()
  }

  private func tell(_ event: cepoll_event) {
    guard event.data != Self.wakeUpData else { return }
    sources.source(event.data)?.ready(event.events)
  }

  /// In milliseconds, rounded up; -1: until something happens.
  private func waitingTime() -> Int32 {
    guard jobs.isEmpty, againSources.isEmpty, late.isEmpty else { return 0 }
    var time: Int32 = -1
    if let next = timers.next {
      let left = next - Self.clock()
      guard left > 0 else { return 0 }
      time = Int32(clamping: (left + 999_999) / 1_000_000)
    }
    return mailbox.fallAsleep() ? time : 0
  }

  private func runAgain() {
    guard !againSources.isEmpty else { return }
    var sources: [EpollSource] = []
    swap(&sources, &againSources)
    for source in sources {
      source.isAgain = false
      if source.slot >= 0 { source.again() }
      pauseReading()
    }
  }

  private func runJobs() {
    mailbox.take(into: &jobs)
    guard !jobs.isEmpty else { return }
    line.isOpen = true
    var round = 0
    while !jobs.isEmpty, round < Self.jobRounds {
      round += 1
      var batch = spare
      spare = []
      swap(&batch, &jobs)
      for job in batch {
        run(job)
        line.writeIfOld()
      }
      line.write()
      batch.removeAll(keepingCapacity: batch.count < 1024)
      spare = batch
      mailbox.take(into: &jobs)
    }
    line.isOpen = false
  }
  /// An empty array whose storage the next round uses.
  @exclusivity(unchecked) private var spare: [LoopJob] = []

  private func run(_ job: LoopJob) {
    switch job {
    case .action(let action): action()
    case .actor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
    case .task(let job): job.runSynchronously(on: ownTaskExecutor.asUnownedTaskExecutor())
    }
  }

  private func finish() {
    while let source = sources.first { source.loopEnded() }
    while let stream = relayed.values.first { stream.loopEnded() }
    // What that has set in motion comes to its end; what goes on for ever does not.
    for _ in 0..<100 {
      late.run(clock: Self.clock)
      runJobs()
    }
    timers.removeAll()
    againSources = []
    late.removeAll()
    jobs = []
    mailbox.close()
    ring.close()
    // The number may be another thread's one day.
    thread.store(0, ordering: .relaxed)
    for action in whenStopped { action() }
    whenStopped = []
  }
}
