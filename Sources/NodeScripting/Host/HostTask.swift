import LuaHost
import NodeEngine

/// `host.task`: the few operations everything that waits between tasks is built from, in Lua.
enum HostTask {
  static let natives: [(String, LuaNative)] = [
    ("current", current), ("spawn", spawn), ("park", park), ("wake", wake), ("cancel", cancel), ("on_end", onEnd),
    ("status", status),
  ]

  /// current() → the id of the running task
  private static let current: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let task = runtime.current else { return call.raise("usage", "no task is running") }
    let id = runtime.identify(task)
    return call.returns { $0.integer(id) }
  }

  /// spawn(fn, ...) → id; it starts at the end of this tick
  private static let spawn: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard call.isFunction(1) else { return call.raise("usage", "spawn: a function is expected") }
    var references: [LuaRef] = []
    for index in 0..<call.argumentCount {
      guard let reference = call.ref(Int32(index) + 1) else {
        references.forEach { runtime.vm.release($0) }
        return call.raise("budget", "not enough memory for a task")
      }
      references.append(reference)
    }
    let id = runtime.spawn(references)
    return call.returns { $0.integer(id) }
  }

  /// park() waits until someone wakes this task
  private static let park: LuaNative = { state in
    let call = LuaCall(state)
    return ScriptRuntime.of(call).park(call, "a task") { _ in {} }
  }

  /// wake(id) → whether it was parked in `park`
  private static let wake: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    let isWoken = call.integer(1).map { runtime.wake($0) } ?? false
    return call.returns { $0.boolean(isWoken) }
  }

  /// cancel(id, kind, message) → whether there was anything to cancel
  private static let cancel: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let id = call.integer(1), let task = runtime.tasks[id], task.isLive else {
      return call.returns { $0.boolean(false) }
    }
    let error = ScriptError(
      code: .script, kind: call.string(2) ?? "cancelled", message: call.string(3) ?? "the task was cancelled")
    runtime.cancel(task, with: error, sticky: false)
    return call.returnTrue()
  }

  /// on_end(id, fn): fn(ok, results or error…) runs when the task ends; false if it has ended
  private static let onEnd: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let id = call.integer(1), call.isFunction(2), let task = runtime.tasks[id] else {
      return call.returns { $0.boolean(false) }
    }
    guard let function = call.ref(2) else { return call.raise("budget", "not enough memory") }
    task.watchers.append(function)
    return call.returnTrue()
  }

  /// status(id) → "running", "parked" or "ended"
  private static let status: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let id = call.integer(1), let task = runtime.tasks[id] else { return call.returns { $0.string("ended") } }
    let text = task.wait == nil ? "running" : "parked"
    return call.returns { $0.string(text) }
  }
}

extension ScriptError {
  fileprivate static let noMemoryToStart = ScriptError(
    LuaError(kind: .memory, message: "the task could not start: the script needs more than script_memory"))
  fileprivate static let shuttingDown = ScriptError(
    code: .script, kind: "shutdown", message: "the node shuts down, and the task had not started")
}

extension ScriptRuntime {
  /// Wakes a task that parked in `host.task.park`.
  @discardableResult
  func wake(_ id: Int64) -> Bool {
    guard let wait = tasks[id]?.wait, wait.what == "a task" else { return false }
    wait.resume { _ in }
    return true
  }

  /// The connection that what the running code starts is to be counted to.
  var currentOrigin: ConnectionScript? { current.flatMap { $0.connection ?? $0.origin } }

  /// Starts a measurement for the node that this VM serves, where somebody wants its metrics.
  private func timing(_ hook: MeasuredHook) -> (() -> Void)? { hooks?.node.timing(hook) }

  /// Runs what a timer is for.
  func run(_ timer: TimerTable.Entry, _ purpose: RunPurpose) {
    let task = takeTask(purpose)
    task.origin = timer.origin
    task.hasForeignOrigin = timer.isForeign
    task.timing = timing(.timer)
    settle(task, vm.start(task.thread, timer.function) { _ in })
  }

  /// Makes a task of a function and its arguments, to start at the end of this tick.
  func spawn(_ references: [LuaRef]) -> Int64 {
    let task = takeTask(.task)
    task.origin = currentOrigin
    task.hasForeignOrigin = current?.isForeign ?? false
    let id = identify(task)
    let ticket = starts.add()
    // Cancelling it before the start ends the task without a run.
    scheduler.defer {
      // What it holds is free at once.
      guard !self.starts.isCalledOff(ticket) else { return self.start(task, id, references, ticket) }
      self.turns.run(.beginning, callOff: { self.start(task, id, references, ticket, insteadFailing: .shuttingDown) }) {
        self.start(task, id, references, ticket)
      }
    }
    return id
  }

  /// - Parameter failure: why it does not start.
  private func start(
    _ task: ScriptTask, _ id: Int64, _ references: [LuaRef], _ ticket: Int, insteadFailing failure: ScriptError? = nil
  ) {
    defer { references.forEach { vm.release($0) } }
    let mayStart = starts.begin(ticket)
    guard !isStopped, tasks[id] === task else { return }
    if let cancellation = task.cancellation { return finish(task, .failed(cancellation)) }
    if let failure = mayStart ? failure : .noMemoryToStart {
      // Told once, with the run that used the memory up, or not at all; who waits for this one learns it all the same.
      task.completion = { _, _ in }
      return finish(task, .failed(failure))
    }
    task.timing = timing(.task)
    let status = vm.start(task.thread, references[0]) { pack in
      for reference in references.dropFirst() { pack.ref(reference) }
    }
    settle(task, status)
  }

  /// Runs what waits for a task's end, with what it came to.
  func notifyWatchers(of task: ScriptTask, _ outcome: RunOutcome) {
    guard !task.watchers.isEmpty else { return }
    let watchers = task.watchers
    task.watchers = []
    let values: [LuaRef]
    let isFinished: Bool
    var budget: LuaError?
    switch outcome {
    case .finished:
      values = task.thread.resultRefs()
      isFinished = true
    case .failed(let error):
      // What ended a run over its budget is no value of the script's.
      if error.code == .budget { budget = error.asLuaError }
      values = task.failure.map { [$0] } ?? []
      task.failure = nil
      isFinished = false
    }
    for watcher in watchers {
      run(
        watcher, .task,
        arguments: { pack in
          pack.boolean(isFinished)
          if let budget { return pack.error(budget) }
          for value in values { pack.ref(value) }
        }, completion: nil)
      vm.release(watcher)
    }
    values.forEach { vm.release($0) }
  }
}
