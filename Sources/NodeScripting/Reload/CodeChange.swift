import NodeEngine

/// One change of a node's code: a reload, or a rollback. One at a time, in the order they were asked for.
protocol CodeChange: AnyObject {
  /// Calls `done` once, on the loop, whatever happens.
  func begin(_ generations: Generations, done: @escaping () -> Void)
  /// The node has stopped: whoever waits is told.
  func abandon(_ error: ScriptError)
}

extension Generations {
  func enqueue(_ next: any CodeChange) {
    waitingChanges.append(next)
    startNextChange()
  }

  func enqueueFirst(_ next: any CodeChange) {
    waitingChanges.insert(next, at: 0)
    startNextChange()
  }

  private func startNextChange() {
    guard change == nil, !waitingChanges.isEmpty else { return }
    let next = waitingChanges.removeFirst()
    change = next
    next.begin(self) { [weak self, weak next] in
      guard let self, let next, change === next else { return }
      change = nil
      // Not from inside the change that has just ended.
      scheduler.defer { self.startNextChange() }
    }
  }

  /// The node has stopped.
  func endChanges() {
    let error = shutdownError
    let ending = ([change] + waitingChanges).compactMap(\.self)
    change = nil
    waitingChanges = []
    for change in ending { change.abandon(error) }
    endProbation(.stopped)
  }

  var shutdownError: ScriptError {
    ScriptError(
      code: .engine, kind: "shutdown", message: "the node \(node.name) is shutting down: its code is not replaced any more")
  }
}
