import Logging

/// One entry of the log, ready to be rendered.
struct LogLine: Sendable {
  var time: Timestamp
  var level: Logger.Level
  /// The node it is about; nil: the program.
  var node: String?
  var message: String
  var metadata: Logger.Metadata
}
