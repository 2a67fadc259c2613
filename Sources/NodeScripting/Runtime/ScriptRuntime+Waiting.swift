package import LuaHost
import NodeCore
import NodeEngine

/// How runs wait, and what becomes of a wait whose run is to end.
extension ScriptRuntime {
  /// Parks the calling run. `begin` hands the wait to whoever will answer it and returns what withdraws it.
  package func park(_ call: LuaCall, _ what: String, _ begin: (ScriptWait) -> () -> Void) -> Int32 {
    guard let task = current, call.canPark else {
      return call.raise("usage", "\(what) cannot wait here: \(Self.cannotWait)")
    }
    if let cancellation = task.cancellation {
      if task.isEnding { refuseWait(of: task) } else { task.cancellation = nil }
      return call.raise(cancellation.kind, cancellation.message)
    }
    let wait = ScriptWait(runtime: self, task: task, what: what)
    task.wait = wait
    wait.onCancel = begin(wait)
    return call.park()
  }

  /// Parks the calling run until `work`, which goes on elsewhere, has come to values or an error; cancelling the run ends the
  /// wait and not the work.
  package func park(
    _ call: LuaCall, _ what: String, until work: @escaping @Sendable () async throws(ScriptError) -> [LuaValue]
  ) -> Int32 {
    let scheduler = scheduler
    return park(call, what) { wait in
      let answer = LoopBound(wait)
      scheduler.startTask {
        let result: Result<[LuaValue], ScriptError>
        do throws(ScriptError) {
          result = .success(try await work())
        } catch {
          result = .failure(error)
        }
        scheduler.execute {
          switch result {
          case .success(let values): answer.value.resume { pack in values.forEach { pack.value($0) } }
          case .failure(let error): answer.value.fail(error)
          }
        }
      }
      return {}
    }
  }

  /// The running run asked something of a connection that is over: if that is its own, it should know by now.
  func noteFutileWait() {
    guard let task = current else { return }
    let isOver = task.connection.map { $0.isForgotten || !$0.connection.isOpen || $0.connection.hasEnded } ?? false
    if task.isEnding || isOver { refuseWait(of: task) }
  }

  /// A loop that takes no notice of the end would go on for all of the run's budget, and a thousand of them a thousand times.
  private func refuseWait(of task: ScriptTask) {
    task.refusedWaits += 1
    if task.refusedWaits > Self.refusalLimit { vm.endRun() }
  }

  /// Far more waits than clean-up needs, and no time to speak of.
  private static let refusalLimit = 256

  static let cannotWait =
    "it was called inside a codec's decoder or a C function such as table.sort, string.gsub or tostring, "
    + "in save, restore or the like, or where no hook or task is running"

  /// Raises `error` where the run is parked. A run that is not parked, or whose answer is on its way and would be lost,
  /// meets it at its next wait; with `sticky`, at every wait from then on.
  package func cancel(_ task: ScriptTask, with error: ScriptError, sticky: Bool) {
    guard task.isLive else { return }
    let wait = task.wait.flatMap { $0.isAnswered ? nil : $0 }
    let isRaisedAlready = task.wait?.isCancellation == true
    if sticky || (wait == nil && !isRaisedAlready && !task.isEnding) { task.cancellation = error }
    if sticky { task.isEnding = true }
    guard let wait else { return }
    let replacement = ScriptWait(runtime: self, task: task, what: wait.what, isCancellation: true)
    task.wait = replacement
    wait.withdraw()
    replacement.fail(error)
  }
}
