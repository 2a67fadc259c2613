import Logging

/// Errors that end a run.
extension ScriptRuntime {
  /// An error no one is left to take: counted and logged by whoever hosts the VM.
  package func report(_ error: ScriptError) {
    if let onUnhandledError {
      onUnhandledError(error)
    } else {
      logger.error("\(error)", metadata: error.logMetadata)
    }
  }

  /// Who joins a task gets its error, and may take it as it likes; but that it ran over its budget is this node's to count.
  func tell(_ error: ScriptError, of task: ScriptTask) {
    if task.watchers.isEmpty {
      report(error)
    } else if error.code == .budget {
      hooks?.count(error)
    }
  }
}
