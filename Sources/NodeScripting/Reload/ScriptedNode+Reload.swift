import Logging
import NodeCore
import NodeEngine
import Synchronization

extension ScriptedNode {
  /// Replaces the node's code while it runs: same connections, same state, no message lost. If anything is wrong with the
  /// new code, the old one goes on as if nothing had been asked; if it fails soon after (``probation()``), the old one
  /// comes back. See docs/reload.md.
  ///
  /// Reloads of one node are carried out one after the other.
  ///
  /// - Parameter source: the new code; nil: the file the code in force is from, read anew.
  /// - Throws: ``ScriptError``: code `file`, `load` or `configuration` where the new code is not in order; `reload` where a
  ///   running hook does not end (kind `timeout`) or state cannot move; what the script's `save`, `restore` and the like
  ///   raise; kind `shutdown` where the node is shutting down.
  @discardableResult
  public func reload(_ source: ScriptSource? = nil) async throws(ScriptError) -> ReloadReport {
    let text: ScriptSource
    if let source {
      text = source
    } else {
      let path = self.path.withLock { $0 }
      do throws(ScriptError) {
        text = try .file(path)
      } catch {
        await noteFailure(error)
        throw error
      }
    }
    let result: Result<ReloadReport, ScriptError> = await onLoop { generations, answer in
      generations.enqueue(Reload(text, completion: answer))
    }
    return try result.get()
  }

  /// What came of the last reload: waits until its code is trusted, or rolled back. `passed` where there was none.
  public func probation() async -> ProbationOutcome {
    await onLoop { generations, answer in
      guard let probation = generations.probation else { return answer(generations.lastOutcome) }
      probation.whenOver(answer)
    }
  }

  /// The code in force, and what is left of earlier code: connections that stay with it, or that it is kept for a rollback.
  public func generations() async -> [GenerationInfo] {
    await onLoop { generations, answer in
      answer(
        generations.all.map { hooks in
          GenerationInfo(
            number: hooks.number, version: hooks.script.declaration.version, isCurrent: hooks === generations.current,
            isKept: hooks === generations.probation?.old, connections: hooks.connectionCount)
        })
    }
  }

  /// The files the code in force was read from: the script and the modules it has required so far.
  public func files() async -> [String] {
    await onLoop { generations, answer in answer(generations.current.script.files) }
  }

  /// Those, and what the last reload read, taken or not: what a watcher looks at, since a mistake may be in a file that the
  /// code in force does not have.
  public func watchedFiles() async -> [String] {
    await onLoop { generations, answer in
      let files = generations.current.script.files
      answer(files + generations.attempted.filter { !files.contains($0) })
    }
  }

  private func noteFailure(_ error: ScriptError) async {
    await onLoop { generations, answer in
      generations.node.heuristics.failedReloads += 1
      generations.node.logger.error("reload failed, the code in force stays (generation \(generations.current.number)): \(error)")
      answer(())
    }
  }

  private func onLoop<T: Sendable>(_ ask: @escaping @Sendable (Generations, @escaping (T) -> Void) -> Void) async -> T {
    let generations = generations
    return await withCheckedContinuation { continuation in
      scheduler.execute { ask(generations.value) { continuation.resume(returning: $0) } }
    }
  }
}
