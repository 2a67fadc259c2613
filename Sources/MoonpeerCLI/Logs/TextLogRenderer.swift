import Logging

/// A log line for people: time, level, node, message, key=value; a traceback on the lines below.
struct TextLogRenderer: Sendable {
  enum Clock: Sendable {
    /// For a terminal, where the day is known.
    case timeOfDay
    /// For files and other programs.
    case full
  }

  var palette = Palette.plain
  var clock = Clock.full

  func render(_ line: LogLine) -> String {
    var metadata = line.metadata
    let traceback = metadata.removeValue(forKey: "traceback")
    let time = clock == .full ? line.time.full : line.time.timeOfDay
    var parts = [palette.paint(time, .dim), palette.paint(Self.padded(line.level), Self.paint(line.level))]
    if let node = line.node { parts.append(palette.paint(Printable.text(node), .bold)) }
    parts.append(Printable.text(line.message))
    // The first generation goes without saying, or every line of every node would.
    if let generation = line.generation, generation > 1 { metadata["generation"] = "\(generation)" }
    if let connection = line.connection { metadata["conn"] = "\(connection)" }
    for key in metadata.keys.sorted() {
      parts.append(palette.paint(Self.value("\(key)") + "=", .dim) + Self.value("\(metadata[key]!)"))
    }
    var text = parts.joined(separator: " ") + "\n"
    if let traceback {
      for entry in Printable.lines("\(traceback)") { text += palette.paint("    \(entry)", .dim) + "\n" }
    }
    return text
  }

  private static func padded(_ level: Logger.Level) -> String {
    let name = level.rawValue
    return name + String(repeating: " ", count: max(0, 7 - name.count))
  }

  private static func paint(_ level: Logger.Level) -> Palette.Paint {
    switch level {
    case .trace, .debug: .dim
    case .info: .green
    case .notice: .cyan
    case .warning: .yellow
    case .error: .red
    case .critical: .alarm
    }
  }

  // Quoted where it would not read back as one value.
  private static func value(_ text: String) -> String {
    let safe = Printable.text(text)
    guard safe.isEmpty || safe.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) || safe != text else { return safe }
    return "\"" + safe.replacing("\"", with: "\\\"") + "\""
  }
}
