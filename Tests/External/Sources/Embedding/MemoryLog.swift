import Logging
import Synchronization

/// A log that is kept, so that it can be looked at.
final class MemoryLog: Sendable {
  private let kept = Mutex<[String]>([])
  var lines: [String] { kept.withLock { $0 } }

  func logger() -> Logger {
    var logger = Logger(label: "embedding") { _ in Handler(log: self) }
    logger.logLevel = .info
    return logger
  }

  private struct Handler: LogHandler {
    let log: MemoryLog
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel = Logger.Level.info

    init(log: MemoryLog) { self.log = log }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }
      log.kept.withLock { $0.append("\(all["node"] ?? "?"): \(event.message) \(all["message"] ?? "")") }
    }
  }
}
