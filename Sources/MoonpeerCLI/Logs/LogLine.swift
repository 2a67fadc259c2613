import Logging

/// One entry of the log, ready to be rendered.
struct LogLine: Sendable {
  var time: Timestamp
  var level: Logger.Level
  /// The node it is about; nil: the program.
  var node: String?
  /// Which generation of the node's code said it, from 1.
  var generation: Int? = nil
  /// The number of the connection it is about, at that node.
  var connection: Int? = nil
  var message: String
  var metadata: Logger.Metadata
}
