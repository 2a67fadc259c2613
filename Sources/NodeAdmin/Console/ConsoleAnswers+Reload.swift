import NodeScripting

extension ConsoleAnswers {
  func reload(_ target: inout ConsoleTarget, _ request: ConsoleRequest) async throws(ConsoleProblem) -> JSONValue {
    let node = try target.node()
    let path = target.take().map { path in request.folder.map { path.hasPrefix("/") ? path : "\($0)/\(path)" } ?? path }
    try target.end()
    do throws(ScriptError) {
      let report = try await node.reload(try path.map { path throws(ScriptError) in try .file(path) })
      return [
        "kind": "reload", "node": .string(node.name), "generation": JSONValue(report.generation),
        "version": report.version.map { .integer($0) } ?? .null, "pause": JSONValue(report.pause),
        "moved": JSONValue(report.moved), "left": JSONValue(report.left),
        "warnings": .array(report.warnings.map { .string($0) }),
      ]
    } catch {
      throw ConsoleProblem(error, kind: error.code == .file ? "file" : error.kind)
    }
  }

  /// What came of the last reload, once it is known.
  func probation(_ target: inout ConsoleTarget) async throws(ConsoleProblem) -> JSONValue {
    let node = try target.node()
    try target.end()
    // Not asked directly: who asks may go sooner than the probation ends.
    let (outcomes, feed) = AsyncStream<ProbationOutcome>.makeStream()
    Task {
      feed.yield(await node.probation())
      feed.finish()
    }
    for await outcome in outcomes {
      switch outcome {
      case .passed: return ["kind": "done", "text": .string("\(node.name): the code in force is trusted")]
      case .rolledBack(let why): throw ConsoleProblem("rolled_back", "\(node.name) was rolled back: \(why)")
      case .kept(let why): throw ConsoleProblem("kept", "\(node.name) failed and stays as it is: \(why)")
      case .stopped: throw ConsoleProblem("shutdown", "the node \(node.name) has stopped")
      }
    }
    throw ConsoleProblem("cancelled", "it was cancelled")
  }
}
