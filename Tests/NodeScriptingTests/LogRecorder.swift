import Logging
import Synchronization

struct LogLine: Sendable {
  var level: Logger.Level
  var message: String
  var metadata: [String: String]
}

/// Keeps the lines a node logs.
final class LogRecorder: Sendable {
  private let kept = Mutex<[LogLine]>([])

  var lines: [LogLine] { kept.withLock { $0 } }

  /// The lines whose text contains `words`.
  func lines(with words: String) -> [LogLine] { lines.filter { $0.message.contains(words) } }

  var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

  private struct Handler: LogHandler {
    let recorder: LogRecorder
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    init(recorder: LogRecorder) { self.recorder = recorder }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
      recorder.kept.withLock { $0.append(LogLine(level: event.level, message: "\(event.message)", metadata: all)) }
    }
  }
}
