import LuaHost
import NodeCore
import NodeEngine

extension ScriptHooks {
  /// Calls a function of console.lua, which cannot wait.
  func console(_ name: String, _ arguments: (inout LuaPack) -> Void) throws(ScriptError) -> [LuaValue] {
    do throws(LuaError) {
      let function = try consoleFunction(name)
      defer { runtime.vm.release(function) }
      return try runtime.vm.callNow(function, arguments)
    } catch {
      throw ScriptError(error, hook: "the console")
    }
  }

  private func consoleFunction(_ name: String) throws(LuaError) -> LuaRef {
    let table = try runtime.chunk("console")
    defer { runtime.vm.release(table) }
    guard let function = runtime.vm.field(table, name) else {
      throw LuaError(kind: .runtime, message: "console.\(name) is missing")
    }
    return function
  }

  /// Runs code that was typed; what it returns comes as texts (`text`) or as plain data (`data`).
  ///
  /// - Returns: what calls it off.
  func evaluateTyped(
    _ code: String, form: String, _ completion: @escaping (Result<[LuaValue], ScriptError>) -> Void
  ) -> (ScriptError) -> Void {
    guard !runtime.isStopped else {
      completion(.failure(ScriptError(code: .engine, kind: "shutdown", message: "the node \(node.name) has stopped")))
      return { _ in }
    }
    let chunk: LuaRef
    let function: LuaRef
    do throws(ScriptError) {
      // Without its chunk there is no glue either.
      _ = glue
      chunk = try compile(code)
    } catch {
      completion(.failure(error))
      return { _ in }
    }
    do throws(LuaError) {
      function = try consoleFunction("evaluate")
    } catch {
      runtime.vm.release(chunk)
      completion(.failure(ScriptError(error)))
      return { _ in }
    }
    // The task is used again once this run is over.
    var isOver = false
    // A reload does not wait for what somebody typed: it ends with the code it was typed into.
    let task = runtime.run(function, .console) { pack in
      pack.ref(chunk)
      pack.string(form)
    } completion: { [self] task, outcome in
      isOver = true
      defer { for ref in [function, chunk] { runtime.vm.release(ref) } }
      switch outcome {
      case .finished:
        completion(Result { () throws(LuaError) in try task.thread.results() }.mapError { ScriptError($0) })
      case .failed(let error):
        if error.code == .budget { count(error) }
        completion(.failure(error))
      }
    }
    return { [runtime] error in
      guard !isOver else { return }
      runtime.cancel(task, with: error, sticky: true)
    }
  }
}

extension ConnectionScript {
  /// Its messages go to the trace from now on; another one is over.
  func start(_ trace: ConnectionTrace) throws(ScriptError) {
    endTrace("another trace of the connection has begun")
    let handle = handle
    runtime.traces[trace.id] = trace
    self.trace = trace
    do throws(ScriptError) {
      _ = try hooks.console("trace") { pack in
        pack.ref(handle)
        pack.integer(trace.id)
      }
    } catch {
      runtime.traces[trace.id] = nil
      self.trace = nil
      throw error
    }
  }

  /// Nothing of the trace is left in the connection.
  func endTrace(_ why: String) { takeTrace()?.end(why) }

  /// As ``endTrace(_:)``, for one that goes on elsewhere.
  func takeTrace() -> ConnectionTrace? {
    guard let trace else { return nil }
    self.trace = nil
    runtime.traces[trace.id] = nil
    if isAttached, !isForgotten {
      let handle = handle
      _ = try? hooks.console("untrace") { $0.ref(handle) }
    }
    if runtime.traces.isEmpty { _ = try? hooks.console("untraced") { _ in } }
    return trace
  }

  /// Goes on with a trace that other code had.
  func goOn(with trace: ConnectionTrace) {
    do throws(ScriptError) {
      try start(trace)
      trace.noteMove(to: hooks.number, time: runtime.scheduler.wallClock)
    } catch {
      trace.end("the code was replaced, and the new one cannot be traced: \(error.message)")
    }
  }
}
