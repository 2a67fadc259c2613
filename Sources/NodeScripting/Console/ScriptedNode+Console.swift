package import LuaHost
package import NodeCore
package import NodeEngine

/// A run that waits.
package struct WaitingTask: Sendable, Equatable {
  /// What it is: `process_message`, `task`, `timer`, ….
  package var purpose: String
  /// What it waits for.
  package var waitsFor: String
  /// For how long.
  package var duration: Duration
  /// Whose run it is; nil: no connection's.
  package var connection: ConnectionID?
  /// Which code it belongs to.
  package var generation: Int
  /// Where it stands; empty: in nothing of the script's own.
  package var traceback: String
}

/// A connection as the console shows it.
package struct ConnectionDetails: Sendable, Equatable {
  package var info: ConnectionInfo
  package var statistics: TrafficStatistics
  /// Which code has it.
  package var generation: Int
}

/// The numbers of a node, as of one moment.
package struct NodeDetails: Sendable, Equatable {
  package var name: String
  package var addresses: [PeerAddress]
  package var connected: Int
  package var connecting: Int
  package var waitingTasks: Int
  package var statistics: TrafficStatistics
  package var heuristics: Heuristics
  package var luaMemory: Int
  package var luaMemoryPeak: Int
  package var generation: Int
  package var version: Int64?
  package var script: String
  /// Connections that earlier code still has.
  package var connectionsOfEarlierCode: Int
}

extension ScriptedNode {
  package func details() async -> NodeDetails {
    await onConsole { generations, answer in
      let node = generations.node
      let current = generations.current
      let counts = node.counts
      answer(
        NodeDetails(
          name: node.name, addresses: node.addresses, connected: counts.connected, connecting: counts.connecting,
          waitingTasks: generations.all.reduce(0) { $0 + $1.runtime.parked.count }, statistics: node.statistics,
          heuristics: node.heuristics, luaMemory: current.runtime.vm.memoryUsed, luaMemoryPeak: current.runtime.vm.memoryPeak,
          generation: current.number, version: current.script.declaration.version, script: current.script.path,
          connectionsOfEarlierCode: generations.replaced.reduce(0) { $0 + $1.connectionCount }))
    }
  }

  package func connectionDetails() async -> [ConnectionDetails] {
    await onConsole { generations, answer in
      answer(
        generations.node.connections.map { connection in
          ConnectionDetails(
            info: connection.info, statistics: connection.statistics,
            generation: ConnectionScript.of(connection)?.hooks.number ?? generations.current.number)
        })
    }
  }

  /// Every run that waits, the longest first.
  package func waitingTasks() async -> [WaitingTask] {
    await onConsole { generations, answer in
      let now = generations.node.scheduler.now
      let tasks = generations.all.flatMap { hooks in
        hooks.runtime.parked.values.compactMap { $0.wait == nil ? nil : WaitingTask($0, of: hooks.number, now: now) }
      }
      answer(tasks.sorted { ($0.duration, $1.purpose) > ($1.duration, $0.purpose) })
    }
  }

  /// Names that may follow `path.`, such as `node.state`, and what the path leads to (`node`, `conn`, `table`); nothing of
  /// the script is run.
  package func fields(of path: String) async -> (names: [String], kind: String?) {
    await onConsole { generations, answer in
      let hooks = generations.current
      guard !hooks.runtime.isStopped, let values = try? hooks.console("fields", { $0.string(path) }) else {
        return answer(([], nil))
      }
      answer((values.first?.table?.array.compactMap(\.text) ?? [], values.count > 1 ? values[1].text : nil))
    }
  }

  /// Runs what was typed, under the script's limits, and cancels it after `budget` or with the task that waits for it.
  ///
  /// - Parameter form: `text` for people, `data` for programs.
  /// - Parameter budget: the longest it may wait; nil: for ever.
  /// - Throws: ``ScriptError``: code `load` where it is no Lua; what it raised; kind `cancelled` or `timeout`.
  package func evaluateTyped(
    _ code: String, form: String, budget: Duration?
  ) async throws(ScriptError) -> [LuaValue] {
    let cancellation = TypedCancellation()
    let scheduler = scheduler
    let generations = generations
    let result: Result<[LuaValue], ScriptError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        scheduler.execute {
          var timer: (any ScheduledTimer)?
          let cancel = generations.value.current.evaluateTyped(code, form: form) { result in
            timer?.cancel()
            cancellation.action = nil
            cancellation.isOver = true
            continuation.resume(returning: result)
          }
          guard !cancellation.isOver else { return }
          cancellation.action = cancel
          if cancellation.isWanted { return cancellation.run() }
          guard let budget else { return }
          timer = scheduler.schedule(after: budget) {
            cancel(ScriptError(code: .script, kind: "timeout", message: "it waited for longer than \(budget)"))
          }
        }
      }
    } onCancel: {
      scheduler.execute { cancellation.run() }
    }
    return try result.get()
  }

  /// The live messages of a connection, at most `rate` of them a second, until it ends or the token is used.
  ///
  /// - Parameter sink: called on the node's loop; it must not wait.
  /// - Returns: what ends the trace, on any thread; nil where there is no such connection.
  /// - Throws: where the connection is still in its handshake.
  package func trace(
    _ id: ConnectionID, rate: Int, _ sink: @escaping @Sendable (TraceEvent) -> Void
  ) async throws(ScriptError) -> (@Sendable () -> Void)? {
    let scheduler = scheduler
    let result: Result<(@Sendable () -> Void)?, ScriptError> = await onConsole { generations, answer in
      guard let connection = generations.node.connection(id: id), let side = ConnectionScript.of(connection) else {
        return answer(.success(nil))
      }
      generations.lastTrace += 1
      let number = generations.lastTrace
      let trace = ConnectionTrace(id: number, rate: rate, sink: sink)
      do throws(ScriptError) {
        try side.start(trace)
      } catch {
        return answer(.failure(error))
      }
      let bound = LoopBound(connection)
      answer(
        .success {
          scheduler.execute {
            guard let side = ConnectionScript.of(bound.value), side.trace?.id == number else { return }
            side.endTrace("it was ended")
          }
        })
    }
    return try result.get()
  }

  private func onConsole<T: Sendable>(_ ask: @escaping @Sendable (Generations, @escaping (T) -> Void) -> Void) async -> T {
    let generations = generations
    return await withCheckedContinuation { continuation in
      scheduler.execute { ask(generations.value) { continuation.resume(returning: $0) } }
    }
  }
}

/// Touched on the node's loop only.
private final class TypedCancellation: @unchecked Sendable {
  var action: ((ScriptError) -> Void)?
  var isOver = false
  var isWanted = false

  func run() {
    isWanted = true
    action?(ScriptError(code: .script, kind: "cancelled", message: "it was cancelled"))
  }
}

extension WaitingTask {
  fileprivate init?(_ task: ScriptTask, of generation: Int, now: MonotonicTime) {
    guard let wait = task.wait else { return nil }
    let traceback = task.thread.traceback
    self.init(
      purpose: task.purpose.name, waitsFor: Self.name(of: wait.what, traceback), duration: now - wait.since,
      connection: task.connection?.connection.id, generation: generation, traceback: traceback)
  }

  /// What the shipped Lua waits for by parking is known by the call of the author's that led there.
  private static func name(of what: String, _ traceback: String) -> String {
    guard what == "a task" else { return what }
    for line in traceback.split(separator: "\n") where line.contains("moonpeer.") || line.contains("[C]") {
      let parts = line.split(separator: "'")
      if parts.count >= 2 { return String(parts[1]) }
    }
    return "another task"
  }
}
