import Logging

/// A log line for programs: one JSON object per line with `time`, `level`, `node`, `generation`, `conn`, `message` and
/// `metadata`.
///
/// The metadata has an object of its own, so that no key a script chooses can stand in for ours.
struct JSONLogRenderer: Sendable {
  func render(_ line: LogLine) -> String {
    var fields: [(String, JSONText)] = [("time", .string(line.time.full)), ("level", .string(line.level.rawValue))]
    if let node = line.node { fields.append(("node", .string(node))) }
    if let generation = line.generation { fields.append(("generation", .integer(generation))) }
    if let connection = line.connection { fields.append(("conn", .integer(connection))) }
    fields.append(("message", .string(line.message)))
    if !line.metadata.isEmpty { fields.append(("metadata", Self.object(line.metadata))) }
    return JSONText.object(fields).text + "\n"
  }

  private static func object(_ metadata: Logger.Metadata) -> JSONText {
    .object(metadata.keys.sorted().map { ($0, value(metadata[$0]!)) })
  }

  private static func value(_ value: Logger.MetadataValue) -> JSONText {
    switch value {
    case .dictionary(let entries): object(entries)
    case .array(let values): .array(values.map(Self.value))
    default: .string("\(value)")
    }
  }
}
