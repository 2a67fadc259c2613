package import Logging
import Synchronization

/// Keeps the newest log lines of a scenario's nodes, to be shown when it fails.
package final class LogCollector: Sendable {
  private struct State {
    var lines: [String] = []
    var dropped = 0
  }
  private let state = Mutex(State())
  private let limit = 500

  package init() {}

  func append(_ line: String) {
    state.withLock { state in
      state.lines.append(line)
      if state.lines.count > limit {
        state.lines.removeFirst(limit / 2)
        state.dropped += limit / 2
      }
    }
  }

  var lines: [String] {
    state.withLock { state in
      (state.dropped > 0 ? ["(… \(state.dropped) older lines)"] : []) + state.lines
    }
  }

  /// A logger that writes here, and to `more` as well where one is given.
  package func logger(level: Logger.Level, more: Logger?) -> Logger {
    var logger = Logger(label: "scenario") { _ in CollectingHandler(collector: self, more: more, logLevel: level) }
    logger.logLevel = level
    return logger
  }
}

private struct CollectingHandler: LogHandler {
  let collector: LogCollector
  let more: Logger?
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel: Logger.Level

  init(collector: LogCollector, more: Logger?, logLevel: Logger.Level) {
    self.collector = collector
    self.more = more
    self.logLevel = logLevel
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var all = metadata
    all.merge(event.metadata ?? [:]) { $1 }
    more?.log(level: event.level, event.message, metadata: all)
    // Lines for people: the first generation goes without saying.
    if all["generation"] == "1" { all["generation"] = nil }
    let node = all.removeValue(forKey: "node").map { "\($0)" } ?? "scenario"
    let traceback = all.removeValue(forKey: "traceback")
    let fields = all.keys.sorted().map { " \($0)=\(all[$0]!)" }.joined()
    var line = "\(node) \(event.level): \(event.message)\(fields)"
    if let traceback { line += "\n\(traceback)" }
    collector.append(line)
  }
}
