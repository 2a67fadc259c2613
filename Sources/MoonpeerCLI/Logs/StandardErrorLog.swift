import Logging

/// Sends log lines to standard error.
struct StandardErrorLog: LogHandler {
  let render: @Sendable (LogLine) -> String
  private let levels: LogLevels
  private var threshold: LogThreshold
  /// One that is set here is this logger's own; else it is the node's, or the program's.
  var logLevel: Logger.Level {
    get { threshold.level }
    set { threshold = LogThreshold(newValue) }
  }
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(levels: LogLevels, render: @escaping @Sendable (LogLine) -> String) {
    self.render = render
    self.levels = levels
    threshold = levels.all
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set {
      metadata[key] = newValue
      if key == "node", let newValue { threshold = levels.threshold(of: "\(newValue)") }
    }
  }

  func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
    all.merge(event.metadata ?? [:]) { $1 }
    if let error = event.error { all["error"] = "\(error)" }
    let node = all.removeValue(forKey: "node").map { "\($0)" }
    let generation = all.removeValue(forKey: "generation").flatMap { Int("\($0)") }
    let connection = all.removeValue(forKey: "conn").flatMap { Int("\($0)") }
    LogQueue.standardError.add(
      render(
        LogLine(
          time: .now, level: event.level, node: node, generation: generation, connection: connection,
          message: "\(event.message)", metadata: all)))
  }
}
