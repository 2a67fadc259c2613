import Logging
import LuaHost
import NodeCore
import NodeEngine

/// The time after a reload in which the new code is watched and the old one kept, parked.
final class Probation {
  let old: ScriptHooks
  let new: ScriptHooks
  /// The old code's sides of the connections that moved.
  private(set) var sides: [ConnectionID: ConnectionScript]
  private var hooksLeft: Int
  private var failuresLeft: Int
  private var timer: (any ScheduledTimer)?
  private let onFailure: (Probation, String) -> Void
  private let onPassed: (Probation) -> Void
  private var isOver = false
  private var waiters: [Waiter] = []

  typealias Waiter = (ProbationOutcome) -> Void

  /// - Parameter sides: the old code's, of the connections that it had.
  init(
    of new: ScriptHooks, after old: ScriptHooks, _ sides: [ConnectionScript], _ configuration: NodeConfiguration,
    onFailure: @escaping (Probation, String) -> Void, onPassed: @escaping (Probation) -> Void
  ) {
    self.old = old
    self.new = new
    self.sides = Dictionary(uniqueKeysWithValues: sides.map { ($0.connection.id, $0) })
    hooksLeft = configuration.probationHooks
    failuresLeft = configuration.probationFailures
    self.onFailure = onFailure
    self.onPassed = onPassed
    new.onFailure = { [weak self] in self?.noteFailure("\($0)") }
    timer = new.node.scheduler.schedule(after: configuration.probation) { [weak self] in self?.pass() }
  }

  func whenOver(_ waiter: @escaping Waiter) { waiters.append(waiter) }

  /// Newer code takes the place of the one that was watched.
  ///
  /// - Returns: who waits, and will for that.
  func giveWay() -> [Waiter] {
    stop()
    defer { waiters = [] }
    return waiters
  }

  func noteHooks(_ count: Int) {
    guard !isOver, hooksLeft > 0 else { return }
    hooksLeft -= count
    guard hooksLeft <= 0 else { return }
    // Not in the middle of a read.
    new.node.scheduler.defer { [weak self] in self?.pass() }
  }

  /// Bytes that the new code's codec refuses, on a connection that was fine before: what errors of the script do not tell.
  func noteEnd(of connection: Connection, _ reason: DisconnectReason) {
    guard reason.kind == .decode, let side = new.side(of: connection), side.hasMoved else { return }
    noteFailure("a connection that was fine before ended with \(reason)")
  }

  func forget(_ connection: Connection) { sides.removeValue(forKey: connection.id)?.discard() }

  /// The old code lives on, and these connections end with the new one.
  func discardSides() {
    for side in sides.values { side.discard() }
    sides = [:]
  }

  func noteFailure(_ what: String) {
    guard !isOver else { return }
    failuresLeft -= 1
    guard failuresLeft < 0 else { return }
    stop()
    onFailure(self, what)
  }

  private func pass() {
    guard !isOver else { return }
    stop()
    onPassed(self)
  }

  private func stop() {
    isOver = true
    new.onFailure = nil
    timer?.cancel()
    timer = nil
  }

  func end(_ outcome: ProbationOutcome) {
    stop()
    let waiters = waiters
    self.waiters = []
    for waiter in waiters { waiter(outcome) }
  }
}

extension Generations {
  /// - Parameter unproven: the probation of the code that `new` has just replaced. That code has proved nothing, so what a
  ///   rollback comes back to is what it would have come back to.
  func beginProbation(
    of new: ScriptHooks, after last: ScriptHooks, _ lastSides: [ConnectionScript], instead unproven: Probation?
  ) {
    let old = unproven?.old ?? last
    let sides = unproven.map { Array($0.sides.values) } ?? lastSides
    let waiters = unproven?.giveWay() ?? []
    probation = nil
    let configuration = node.configuration
    lastOutcome = .passed
    guard configuration.probation > .zero else {
      for waiter in waiters { waiter(.passed) }
      retireIfDone(old)
      return trimSoon()
    }
    probation = Probation(
      of: new, after: old, sides, configuration,
      onFailure: { [weak self] probation, why in
        guard let self else { return }
        node.logger.error("the code of generation \(probation.new.number) is rolled back: \(why)")
        enqueueFirst(Rollback(probation, why))
      },
      onPassed: { [weak self] in
        guard let self, probation === $0 else { return }
        endProbation()
        trimSoon()
      })
    for waiter in waiters { probation?.whenOver(waiter) }
  }

  /// The code in force is trusted, or stays although it is not; the one before it is not needed any more.
  func endProbation(as outcome: ProbationOutcome = .passed) {
    guard let ending = probation else { return }
    endProbation(outcome)
    retireIfDone(ending.old)
  }

  /// What loading the code took is garbage; of an idle node nothing else would ever free it. A large state is left to Lua's
  /// own pace: to go through all of it at once would be a pause.
  private func trimSoon() {
    scheduler.defer { [self] in
      guard !node.isEnding, current.runtime.vm.memoryUsed < 4 << 20, !current.runtime.vm.isRunning else { return }
      current.runtime.trim()
    }
  }

  func endProbation(_ outcome: ProbationOutcome) {
    guard let ending = probation else { return }
    probation = nil
    lastOutcome = outcome
    ending.end(outcome)
  }
}
