import Logging
import LuaHost
import NodeCore
import NodeEngine

/// One reload: stage, quiesce, migrate, commit. Until the commit the code in force is untouched.
final class Reload: CodeChange {
  private let source: ScriptSource
  private var completion: ((Result<ReloadReport, ScriptError>) -> Void)?
  private var quiescence: Quiescence?
  private var next: ScriptHooks?

  init(_ source: ScriptSource, completion: @escaping (Result<ReloadReport, ScriptError>) -> Void) {
    self.source = source
    self.completion = completion
  }

  func begin(_ generations: Generations, done: @escaping () -> Void) {
    let completion = completion
    self.completion = { result in
      completion?(result)
      done()
    }
    let began = generations.scheduler.now
    do throws(ScriptError) {
      try generations.checkRunning()
      try generations.onStep?(.load)
    } catch {
      return fail(error, generations)
    }
    LoadedScript.load(
      source, options: generations.options, environment: generations.environment, noting: { generations.attempted = $0 }
    ) { [self] result in
      // Until the loop's next turn the old code goes on: that is no pause.
      let loading = generations.scheduler.now - began
      generations.scheduler.defer { [self] in
        guard self.completion != nil else { return drop(result) }
        do throws(ScriptError) {
          let script = try result.get()
          let staged = generations.scheduler.now
          do throws(ScriptError) { next = try generations.stage(script) } catch {
            script.runtime.stop()
            throw error
          }
          quiesce(generations, staging: loading + (generations.scheduler.now - staged))
        } catch {
          return fail(error, generations)
        }
      }
    }
  }

  func abandon(_ error: ScriptError) {
    quiescence?.abandon()
    quiescence = nil
    next?.stopped()
    next = nil
    finish(.failure(error))
  }

  private func drop(_ result: Result<LoadedScript, ScriptError>) {
    if case .success(let script) = result { script.runtime.stop() }
  }

  private func quiesce(_ generations: Generations, staging: Duration) {
    guard let next else { return }
    let old = generations.current
    let began = generations.scheduler.now
    let quiescence = Quiescence(
      of: old, in: generations, bound: generations.node.configuration.reloadTimeout,
      staying: { [unowned old, unowned next] in old.keeps($0, from: next) })
    self.quiescence = quiescence
    let holding = !(next.declared.contains(.session) && old.declared.contains(.messages))
    quiescence.begin(holding: holding) { [self] error in
      if let error { return fail(error, generations) }
      migrate(generations, next, staging: staging, quiescing: generations.scheduler.now - began)
    }
  }

  private func migrate(_ generations: Generations, _ next: ScriptHooks, staging: Duration, quiescing: Duration) {
    let began = generations.scheduler.now
    let old = generations.current
    let everything = generations.node.everyConnection.compactMap { old.side(of: $0) }
    let sides = everything.filter { !old.keeps($0, from: next) }
    let migration: Migration
    do throws(ScriptError) {
      try generations.checkRunning()
      migration = try Migration.prepare(from: old, to: next, sides) { step throws(ScriptError) in
        try generations.onStep?(step)
      }
      try migration.check()
      try generations.onStep?(.timers)
      let remaining = try old.reload("remaining") { _ in }
      _ = try next.reload("start_timers") { $0.value(remaining.first ?? .nil) }
      try generations.onStep?(.swap)
    } catch {
      return fail(error, generations)
    }
    // From here on nothing can fail.
    let warnings = generations.warnings(for: next)
    self.next = nil
    quiescence = nil
    migration.commit()
    generations.swap(to: next)
    generations.node.heuristics.reloads += 1
    generations.beginProbation(of: next, after: old, migration.pairs.map(\.old), instead: generations.probation)
    old.endRuns()
    next.doneMoving()
    let report = ReloadReport(
      generation: next.number, version: next.script.declaration.version, staging: staging, quiescing: quiescing,
      migration: generations.scheduler.now - began, warnings: warnings + migration.warnings, moved: sides.count,
      left: everything.count { !$0.connection.isStream } - sides.count)
    generations.log(report)
    migration.resume()
    generations.retireIfDone(old)
    finish(.success(report))
  }

  private func fail(_ error: ScriptError, _ generations: Generations) {
    guard completion != nil else { return }
    generations.node.heuristics.failedReloads += 1
    generations.node.logger.error(
      "reload failed, the code in force stays (generation \(generations.current.number)): \(error)", metadata: error.logMetadata)
    let next = next
    self.next = nil
    if let next {
      generations.current.doneMoving()
      generations.scheduler.defer { next.stopped() }
    }
    let quiescence = quiescence
    self.quiescence = nil
    quiescence?.release()
    // Code that cannot be replaced is no better than code that fails.
    if error.hook == "save" || error.hook == "save_connection", let probation = generations.probation {
      probation.noteFailure("it cannot be replaced: \(error)")
    }
    finish(.failure(error))
  }

  private func finish(_ result: Result<ReloadReport, ScriptError>) {
    let completion = completion
    self.completion = nil
    completion?(result)
  }
}

extension ScriptError.Code {
  /// A reload could not be carried through; the old code runs on.
  public static let reload = ScriptError.Code(rawValue: "reload")
}

extension Generations {
  func checkRunning() throws(ScriptError) {
    if node.isEnding { throw shutdownError }
    guard node.isRunning else {
      throw ScriptError(
        code: .reload, kind: "usage", message: "the node \(node.name) has not started yet: its code is replaced once it runs")
    }
  }

  /// Makes a generation of a loaded script, without any power yet.
  func stage(_ script: LoadedScript) throws(ScriptError) -> ScriptHooks {
    lastNumber += 1
    let next = try ScriptHooks(
      script, node: node, directory: current.directory, calls: current.calls, number: lastNumber, isStaged: true)
    // What the migration needs is loaded while messages still flow.
    try current.prepareToMove()
    try next.prepareToMove()
    onStaged?(next)
    return next
  }

  /// The configuration keys that the new code sets otherwise and that need a restart.
  func warnings(for next: ScriptHooks) -> [String] {
    var keys = node.configuration.keysNeedingRestart(for: next.script.configuration).filter { $0 != "name" }.map {
      "config.\($0)"
    }
    if next.script.declaration.nodeName != startedName { keys.append("name") }
    return keys.map { "\($0) takes effect only after a restart; the node runs on with the value it has" }
  }

  func log(_ report: ReloadReport) {
    for warning in report.warnings { node.logger.warning("\(warning)") }
    let left = report.left == 0 ? "" : ", \(report.left) stay with the old code until they end"
    node.logger.notice("reloaded: generation \(report.generation), \(report.moved) connections moved\(left)")
  }

  /// A connection whose handshake ended under code that has been replaced meanwhile: it moves now, or stays where it is.
  func catchUp(_ connection: Connection) {
    guard let side = ConnectionScript.of(connection), side.hooks !== current, !connection.isStream else { return }
    let old = side.hooks
    guard !old.runtime.vm.isRunning, !current.runtime.vm.isRunning, !node.isEnding else { return }
    // Moved or not: the attempt has loaded what it takes.
    defer { current.doneMoving() }
    do throws(ScriptError) {
      let migration = try Migration.prepare(from: old, to: current, [side], .connections) { _ in }
      migration.commit()
      // Reading begins once it is live.
      scheduler.defer { self.retireIfDone(old) }
    } catch {
      node.logger.warning(
        "a connection stays with generation \(old.number) until it ends, since it cannot move: \(error)",
        metadata: connection.logMetadata)
    }
  }
}

extension ScriptHooks {
  /// Ends what runs beside the hooks, with its `<close>` handlers, but for what belongs to connections that stay.
  func endRuns() {
    let error = ScriptError(
      code: .engine, kind: NodeError.Code.replaced.rawValue,
      message: "the code was replaced by a reload, and its tasks end with it")
    func stays(_ side: ConnectionScript?) -> Bool { side.map { $0.isAttached && !$0.isForgotten } ?? false }
    func endTimers() {
      for function in runtime.timers.cancel({ !stays($0) }) { runtime.vm.release(function) }
    }
    endTimers()
    runtime.endRuns({ !stays($0.connection ?? $0.origin) }, because: error)
    // Those that the ending runs have set.
    endTimers()
  }
}
