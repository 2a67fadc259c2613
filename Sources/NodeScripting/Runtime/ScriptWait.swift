package import LuaHost
import NodeEngine

/// A parked call: what a native hands to the outside so that it can be answered later, once.
package final class ScriptWait {
  /// Held: an answer from outside (another node's call) may come when the node is gone.
  let runtime: ScriptRuntime
  let task: ScriptTask
  /// What is being waited for, for the console and for error messages.
  package let what: String
  @exclusivity(unchecked) var onCancel: (() -> Void)?
  let since: MonotonicTime
  /// Answered, though perhaps not yet delivered: only one answer counts.
  @exclusivity(unchecked) private(set) var isAnswered = false
  /// The answer, as long as it waits to be delivered.
  @exclusivity(unchecked) private var pending: ((ScriptRuntime, ScriptTask) -> LuaRunStatus)?
  /// Where the answer waits, should it have to.
  @exclusivity(unchecked) var line = ScriptTurns.Line.goingOn
  /// Stands in for a wait that was called off.
  let isCancellation: Bool

  init(runtime: ScriptRuntime, task: ScriptTask, what: String, isCancellation: Bool = false) {
    self.runtime = runtime
    self.task = task
    self.what = what
    since = runtime.scheduler.now
    self.isCancellation = isCancellation
  }

  /// The parked call returns these values.
  package func resume(_ values: @escaping (inout LuaPack) -> Void) {
    answer { $0.vm.resume($1.thread, values) }
  }

  /// The parked call raises this error.
  package func fail(_ error: ScriptError) {
    let raised = error.asLuaError
    answer { $0.vm.resume($1.thread, raising: raised) }
  }

  /// Nobody waits any more: whoever was to answer is told. What that holds may hold this, so it is told once, and let go of.
  func withdraw() {
    let onCancel = onCancel
    self.onCancel = nil
    onCancel?()
  }

  private func answer(_ run: @escaping (ScriptRuntime, ScriptTask) -> LuaRunStatus) {
    guard !isAnswered else { return }
    isAnswered = true
    onCancel = nil
    let runtime = runtime
    // Inside Lua already (a script's call answered another script's wait): one run at a time, so at the end of the tick.
    if runtime.vm.isRunning {
      pending = run
      runtime.scheduler.defer { if let run = self.takePending() { self.deliverInTurn(run) } }
    } else {
      deliverInTurn(run)
    }
  }

  private func deliverInTurn(_ run: @escaping (ScriptRuntime, ScriptTask) -> LuaRunStatus) {
    let turns = runtime.turns
    guard turns.isFree || goesFirst else {
      pending = run
      return turns.wait(line) { if let run = self.takePending() { self.deliver(run) } }
    }
    deliverNow(run)
  }

  private func takePending() -> ((ScriptRuntime, ScriptTask) -> LuaRunStatus)? {
    defer { pending = nil }
    return pending
  }

  /// Of a run whose end has come; not where one was ended over its budget, as for `goesFirst`.
  func deliverAtTheEnd() {
    guard !runtime.vm.isRunning, !runtime.turns.isOverBudget, let run = takePending() else { return }
    deliverNow(run)
  }

  private func deliverNow(_ run: (ScriptRuntime, ScriptTask) -> LuaRunStatus) {
    let turns = runtime.turns
    turns.begin()
    deliver(run)
    turns.end()
  }

  /// A run whose end has come meets it before what comes after: its connection's `on_disconnect`, the end of the node. But a
  /// crowd of them need not come to it all at once where they go on for as long as they may. `on_shutdown` has a time-out.
  private var goesFirst: Bool {
    if isCancellation { return !runtime.turns.isOverBudget }
    return task.purpose == .onShutdown
  }

  private func deliver(_ run: (ScriptRuntime, ScriptTask) -> LuaRunStatus) {
    // A wait that was cancelled meanwhile has been answered by the cancellation.
    guard task.wait === self else { return }
    task.wait = nil
    runtime.settle(task, run(runtime, task))
  }
}

extension ScriptError {
  /// As a script sees it: a table with `kind`, `message` (with the place in front) and `peer`.
  var asLuaError: LuaError {
    let message = (location.map { "\($0): " } ?? "") + message
    var fields: [LuaField] = [
      LuaField(key: "kind", value: .string(LuaString(kind))),
      LuaField(key: "message", value: .string(LuaString(message))),
    ]
    if let peer { fields.append(LuaField(key: "peer", value: .string(LuaString(peer)))) }
    return LuaError(kind: .runtime, message: message, traceback: nil, value: value ?? .table(LuaTable(fields: fields)))
  }
}
