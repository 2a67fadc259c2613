import Logging
import LuaHost
import NodeCore
import NodeEngine

/// Back to the code before: the migration of a reload the other way round.
///
/// Where the state cannot come back, the old code goes on with its own, as it was at the swap.
final class Rollback: CodeChange {
  private let probation: Probation
  private let why: String
  private var quiescence: Quiescence?
  private var done: (() -> Void)?

  init(_ probation: Probation, _ why: String) {
    self.probation = probation
    self.why = why
  }

  func begin(_ generations: Generations, done: @escaping () -> Void) {
    // A reload that was under way has replaced the code meanwhile.
    guard generations.probation === probation, !generations.node.isEnding else { return done() }
    self.done = done
    let bad = probation.new
    let old = probation.old
    let quiescence = Quiescence(
      of: bad, in: generations, bound: generations.node.configuration.reloadTimeout,
      staying: { [unowned bad, unowned old] in bad.keeps($0, from: old) })
    self.quiescence = quiescence
    quiescence.begin(holding: !(old.declared.contains(.session) && bad.declared.contains(.messages))) { [self] error in
      self.quiescence = nil
      guard !generations.node.isEnding else { return finish() }
      if let error {
        generations.node.logger.warning("rolling back, although \(error.message)")
        bad.endRuns(keeping: { bad.keeps($0, from: old) })
      }
      migrate(generations, quiescence)
    }
  }

  func abandon(_ error: ScriptError) {
    quiescence?.abandon()
    quiescence = nil
    finish()
  }

  private func migrate(_ generations: Generations, _ quiescence: Quiescence) {
    let bad = probation.new
    let old = probation.old
    let sides = generations.node.everyConnection.compactMap { bad.side(of: $0) }.filter { !bad.keeps($0, from: old) }
    let migration: Migration
    do throws(ScriptError) {
      migration = try move(sides, generations)
    } catch {
      // Not even handles can be made there: better the new code than none.
      generations.node.logger.error("the rollback failed, generation \(bad.number) stays in force: \(error)")
      quiescence.release()
      generations.endProbation(as: .kept("\(why); the rollback failed: \(error)"))
      return finish()
    }
    migration.commit()
    generations.swap(to: old)
    startTimers()
    probation.discardSides()
    generations.endProbation(.rolledBack(why))
    generations.node.heuristics.rolledBack += 1
    bad.endRuns()
    generations.node.logger.notice("rolled back: generation \(old.number), \(sides.count) connections moved")
    old.doneMoving()
    migration.resume()
    generations.retireIfDone(bad)
    finish()
  }

  private func move(_ sides: [ConnectionScript], _ generations: Generations) throws(ScriptError) -> Migration {
    let bad = probation.new
    let old = probation.old
    // What it may do in `restore` is what any code may that is to take over.
    old.isStaged = true
    defer { old.isStaged = false }
    do throws(ScriptError) {
      return try Migration.prepare(from: bad, to: old, sides, known: probation.sides) { step throws(ScriptError) in
        try generations.onStep?(step)
      }
    } catch {
      generations.node.logger.warning("the state stays as it was before the reload, since it cannot come back: \(error)")
      return try Migration.withoutState(from: bad, to: old, sides, known: probation.sides)
    }
  }

  private func startTimers() {
    let remaining = try? probation.new.reload("remaining") { _ in }
    do throws(ScriptError) {
      _ = try probation.old.reload("start_timers") { $0.value(remaining?.first ?? .nil) }
    } catch {
      probation.old.node.logger.error("the timers of the code that is back do not run: \(error)")
    }
  }

  private func finish() {
    let done = done
    self.done = nil
    done?()
  }
}

extension ScriptHooks {
  /// Ends the hooks that hold a rollback up; their connections stay.
  fileprivate func endRuns(keeping stays: (ConnectionScript) -> Bool) {
    let error = ScriptError(
      code: .engine, kind: NodeError.Code.replaced.rawValue,
      message: "the code is rolled back, and this hook takes too long to end")
    runtime.endRuns({ $0.purpose.holdsReload && !($0.connection.map(stays) ?? false) }, because: error)
  }
}
