package import Logging
package import LuaHost
import NodeCore
package import NodeEngine

/// A Lua VM that can wait: tasks, parking, timers, modules and logging on a scheduler. It knows no network.
///
/// Belongs to one scheduler's loop, like everything it hands out.
package final class ScriptRuntime {
  package let vm: LuaVM
  package let scheduler: any Scheduler
  package var logger: Logger
  package let isTrusted: Bool
  /// The node this VM serves, or nil for one that serves something else (a scenario, a check). They hold the VM, and take
  /// this away when they go: a weak reference would make each count of theirs dearer.
  package internal(set) unowned(unsafe) var hooks: ScriptHooks?
  /// What else a native of another module needs to find (a scenario's network).
  package var extra: AnyObject?
  /// Called with every error that no one is left to take: an unjoined task, a timer.
  package var onUnhandledError: ((ScriptError) -> Void)?
  /// Called whenever a run is over, while somebody waits for that.
  var onRunEnded: (() -> Void)?
  /// The connection whose handle is being made for a reload: its natives have no power yet, but the codec is set.
  var staged: ConnectionScript?

  /// Whose bytes the VM's view shows, or showed last: compared, and never followed.
  @exclusivity(unchecked) var viewed: UnsafeMutableRawPointer?

  var modules: ModuleLoader
  var generator: SeededGenerator
  /// `host` as the shipped Lua sees it, and what gives its chunks by name (`lib.lua`).
  var host = LuaRef.none
  var library = LuaRef.none
  var extraChunks: [String: [UInt8]] = [:]
  var extraModules: [String] = []
  /// One of ``ShippedLua/passing`` has been loaded since they were forgotten last.
  var hasPassingChunks = false
  var timers = TimerTable()
  // The unchecked ones are touched with every run, on the loop only: checks of exclusive access would cost more.
  @exclusivity(unchecked) var tasks: [Int64: ScriptTask] = [:]
  /// What is looked at from the console, by the number console.lua knows it by.
  var traces: [Int64: ConnectionTrace] = [:]
  var starts = TaskStarts()
  let turns: ScriptTurns
  /// Ends the VM's part: no run starts any more.
  @exclusivity(unchecked) private(set) var isStopped = false

  private let anchor: UnsafeMutablePointer<Unmanaged<ScriptRuntime>?>
  @exclusivity(unchecked) private(set) var idle: [ScriptTask] = []
  @exclusivity(unchecked) private var lastTaskID: Int64 = 0
  /// Runs that parked or wait to start, in the order they did; what a stop must end.
  @exclusivity(unchecked) private(set) var parked: [ObjectIdentifier: ScriptTask] = [:]

  /// How many idle coroutines are kept; more than this wait at once only in bursts.
  private static let idleLimit = 64

  package init(
    scheduler: any Scheduler, logger: Logger, limits: LuaLimits, trusted: Bool, root: SearchPath
  ) throws(ScriptError) {
    self.scheduler = scheduler
    turns = ScriptTurns(scheduler)
    self.logger = logger
    isTrusted = trusted
    modules = ModuleLoader(root: root)
    generator = scheduler.makeGenerator(purpose: "script")
    anchor = .allocate(capacity: 1)
    anchor.initialize(to: nil)
    do {
      vm = try LuaVM(limits: limits, libraries: trusted ? .trusted : .sandboxed, context: UnsafeMutableRawPointer(anchor))
    } catch {
      anchor.deallocate()
      throw Self.tooLittle(limits)
    }
    anchor.pointee = Unmanaged.passUnretained(self)
    do throws(ScriptError) {
      try install()
    } catch {
      throw error.code == .budget ? Self.tooLittle(limits) : error
    }
  }

  /// No mistake of the script's, which has not run yet.
  static func tooLittle(_ limits: LuaLimits) -> ScriptError {
    ScriptError(
      code: .configuration,
      message: "script_memory of \(limits.memory) bytes is too small for Lua, what comes with Moonpeer and the script")
  }

  deinit {
    anchor.deallocate()
  }

  /// The runtime whose Lua code made this call.
  @inline(__always)
  package static func of(_ call: LuaCall) -> ScriptRuntime {
    call.context!.assumingMemoryBound(to: Unmanaged<ScriptRuntime>?.self).pointee!.takeUnretainedValue()
  }

  func takeTask(_ purpose: RunPurpose) -> ScriptTask {
    let task = idle.popLast() ?? ScriptTask(thread: vm.makeThread()!)
    task.purpose = purpose
    task.isLive = true
    return task
  }

  func recycle(_ task: ScriptTask) {
    if task.id != 0 { tasks[task.id] = nil }
    task.reset()
    if idle.count < Self.idleLimit, !isStopped { idle.append(task) }
  }

  /// Lets go of the shipped chunks that a start needs and nothing keeps state in; the next look-up loads them again.
  func forgetPassingChunks() {
    guard !isStopped, hasPassingChunks else { return }
    hasPassingChunks = false
    // Where there is no memory for it they stay.
    guard let forgetting = try? chunk("forgetting") else { return }
    defer { vm.release(forgetting) }
    guard let forget = vm.field(forgetting, "forget") else { return }
    _ = try? vm.callNow(forget)
    vm.release(forget)
  }

  /// Gives back what is not in use: idle coroutines, garbage.
  func trim() {
    guard !isStopped else { return }
    idle = []
    vm.collect()
  }

  func identify(_ task: ScriptTask) -> Int64 {
    if task.id == 0 {
      lastTaskID += 1
      task.id = lastTaskID
      tasks[lastTaskID] = task
    }
    return task.id
  }

  /// The run that is executing now, in its outermost frame.
  var current: ScriptTask? { vm.currentThread?.owner.map { unsafeDowncast($0, to: ScriptTask.self) } }

  // Running

  /// Runs a function until it ends or first waits; the completion is called once, perhaps before this returns.
  @discardableResult
  package func run(
    _ function: LuaRef, _ purpose: RunPurpose, connection: ConnectionScript? = nil, origin: ConnectionScript? = nil,
    arguments: (inout LuaPack) -> Void = { _ in }, completion: ((ScriptTask, RunOutcome) -> Void)?
  ) -> ScriptTask {
    let task = takeTask(purpose)
    task.connection = connection
    task.origin = origin
    task.completion = completion
    turns.begin()
    settle(task, vm.start(task.thread, function, arguments))
    turns.end()
    return task
  }

  /// Takes note of what a start or a resume came to.
  func settle(_ task: ScriptTask, _ status: LuaRunStatus) {
    switch status {
    case .parked where task.wait != nil:
      parked[ObjectIdentifier(task)] = task
    case .parked:
      task.thread.abandon()
      finish(
        task,
        .failed(
          ScriptError(
            code: .script, message: "coroutine.yield outside a coroutine: a hook cannot be resumed by the script",
            hook: task.purpose.name, peer: task.connection?.address)))
    case .finished:
      finish(task, .finished)
    case .failed:
      let (error, value) = task.thread.takeFailure()
      task.failure = value
      var failure = ScriptError(error, hook: task.purpose.name, peer: task.connection?.address)
      if failure.code == .budget { turns.noteOverBudget() }
      if error.kind == .memory, let count = starts.callOffIfTooMany() {
        failure.message += "; the \(count) tasks that had not started yet are ended with it"
      }
      finish(task, .failed(failure))
    }
  }

  func finish(_ task: ScriptTask, _ result: RunOutcome) {
    let outcome = result.about(task)
    parked[ObjectIdentifier(task)] = nil
    let completion = task.completion
    task.completion = nil
    if let completion {
      completion(task, outcome)
    } else {
      task.timing?()
      task.timing = nil
      if case .failed(let error) = outcome { tell(error, of: task) }
    }
    notifyWatchers(of: task, outcome)
    if let failure = task.failure { vm.release(failure) }
    task.failure = nil
    recycle(task)
    onRunEnded?()
  }

  // Ending

  /// What has begun may come to its end. What has not shares one more run's time.
  func shutdownBegins() {
    let (seconds, attoseconds) = vm.limits.time.components
    let budget = vm.limits.time == .zero ? Int64.max : min(seconds, 1000) * 1_000_000_000 + attoseconds / 1_000_000_000
    turns.limit(to: budget)
  }

  /// Ends every run and timer; the VM can be freed after it.
  package func stop() {
    guard !isStopped else { return }
    isStopped = true
    timers.cancelAll()
    onUnhandledError = { _ in }
    // The script itself may have brought about the end: then its run is over first.
    if vm.isRunning {
      scheduler.defer { self.endRuns() }
    } else {
      endRuns()
    }
  }

  /// Ends the runs that are parked and those that wait to start. Each ends now: what it waits for next raises at once.
  func endRuns(_ isToEnd: (ScriptTask) -> Bool, because error: ScriptError) {
    // In the order they parked, as far as they have a number.
    let ending = parked.values.filter(isToEnd).sorted { $0.id < $1.id }
    endBeginnings(isToEnd, because: error)
    for task in ending { cancel(task, with: error, sticky: true) }
    deliverAnswers(to: ending)
    // What those have begun meanwhile.
    endBeginnings(isToEnd, because: error)
    // Those that may not go on are parked still; whoever waits for them, another node's call say, must not for ever.
    for task in ending where task.isEnding && parked.removeValue(forKey: ObjectIdentifier(task)) != nil {
      task.wait = nil
      task.thread.abandon()
      let completion = task.completion
      task.completion = nil
      completion?(task, .failed(error))
    }
  }

  private func endBeginnings(_ isToEnd: (ScriptTask) -> Bool, because error: ScriptError) {
    for task in tasks.values.sorted(by: { $0.id < $1.id }) where task.wait == nil && task.isLive && isToEnd(task) {
      cancel(task, with: error, sticky: true)
    }
  }

  /// An answer that waits for its turn has it now, for there is no other: the run learns it, and ends as it would have. All of
  /// them have one share of the loop's turn, for they may go on to work.
  private func deliverAnswers(to ending: [ScriptTask]) {
    let end = scheduler.now.nanoseconds + ScriptTurns.share
    // One that is not ending any more has ended meanwhile, and is another run.
    for task in ending where task.isEnding {
      guard scheduler.now.nanoseconds < end else { return }
      task.wait?.deliverAtTheEnd()
    }
  }

  private func endRuns() {
    endRuns({ _ in true }, because: ScriptError(code: .script, kind: "shutdown", message: "the node has stopped"))
    parked.removeAll()
    tasks.removeAll()
    idle.removeAll()
    hooks = nil
    extra = nil
  }
}
