import NodeCore
import NodeEngine

/// Waits until no hook of a generation is in the middle of something, with no new message handed out meanwhile.
///
/// Bytes go on arriving, up to the bounds of a busy hook; then TCP pushes back.
final class Quiescence {
  private let generations: Generations
  private let hooks: ScriptHooks
  private let bound: Duration
  private let staying: (ConnectionScript) -> Bool
  private var done: ((ScriptError?) -> Void)?
  private var timer: (any ScheduledTimer)?
  private var isCheckDue = false

  /// - Parameter staying: the connections that the change does not touch.
  init(of hooks: ScriptHooks, in generations: Generations, bound: Duration, staying: @escaping (ConnectionScript) -> Bool) {
    self.hooks = hooks
    self.generations = generations
    self.bound = bound
    self.staying = staying
  }

  /// `done` is called when nothing runs (then everything that follows in that call finds it so), or with what still does.
  func begin(holding: Bool, done: @escaping (ScriptError?) -> Void) {
    self.done = done
    hooks.isHolding = holding
    generations.updateWatching()
    hooks.runtime.onRunEnded = { [weak self] in self?.checkSoon() }
    timer = generations.scheduler.schedule(after: bound) { [self] in
      let runs = obstacles.map { run in
        let place = run.connection.map { " (peer \($0.address))" } ?? ""
        return "\(run.purpose.name)\(place) waits in \(run.wait?.what ?? "a call")"
      }
      let what = runs.first ?? "messages that wait in Lua"
      let more = runs.count > 1 ? " and \(runs.count - 1) more" : ""
      finish(
        ScriptError(
          code: .reload, kind: "timeout",
          message: "after \(bound) (reload_timeout) \(what)\(more): what may never end belongs into a task (node:spawn)"))
    }
    check()
  }

  /// The node has stopped.
  func abandon() {
    done = nil
    end()
  }

  /// Lets messages through again.
  func release() {
    hooks.isHolding = false
    generations.updateWatching()
    for connection in generations.node.everyConnection {
      guard let side = hooks.side(of: connection), side.dispatch == nil else { continue }
      if side.hasRequests { hooks.redispatch(side) }
      if side.dispatch == nil, connection.isHoldingMessages { connection.releaseMessages() }
    }
  }

  private func checkSoon() {
    guard !isCheckDue, done != nil else { return }
    isCheckDue = true
    generations.scheduler.defer { [self] in
      isCheckDue = false
      check()
    }
  }

  private func check() {
    guard done != nil else { return }
    // What was decoded by the old code is handled by it.
    for side in stashed where side.dispatch == nil { hooks.redispatch(side) }
    guard obstacles.isEmpty, stashed.isEmpty else { return }
    finish(nil)
  }

  private func finish(_ error: ScriptError?) {
    guard let done else { return }
    self.done = nil
    end()
    done(error)
  }

  private func end() {
    timer?.cancel()
    timer = nil
    hooks.runtime.onRunEnded = nil
  }

  var obstacles: [ScriptTask] {
    hooks.runtime.parked.values.filter { task in
      task.purpose.holdsReload && !(task.connection.map(staying) ?? false)
    }.sorted { ($0.connection?.connection.id.rawValue ?? 0, $0.id) < ($1.connection?.connection.id.rawValue ?? 0, $1.id) }
  }

  private var stashed: [ConnectionScript] {
    generations.node.everyConnection.compactMap { hooks.side(of: $0) }.filter { side in
      side.hasStash && side.binding?.loop != nil && side.connection.phaseIsLive && !staying(side)
    }
  }
}

extension ScriptHooks {
  /// Whether a connection stays with this generation when `next` takes over: while it is set up and while it ends, as a
  /// conversation of its own, and as a stream.
  func keeps(_ side: ConnectionScript, from next: ScriptHooks) -> Bool {
    declared.contains(.session) || next.declared.contains(.session) && declared.contains(.messages)
      || side.connection.isStream || !side.connection.phaseIsLive
  }
}
