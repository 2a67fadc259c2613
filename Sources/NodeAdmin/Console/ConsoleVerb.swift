/// What can be asked for in the console, beside Lua.
public enum ConsoleVerb: String, CaseIterable, Sendable {
  case nodes, connections, stats, tasks, trace, disconnect, loglevel, reload, probation, use, help, quit

  /// What follows the verb.
  public var usage: String {
    switch self {
    case .nodes, .help, .quit: ""
    case .connections, .tasks, .probation: "[NODE]"
    case .stats: "[NODE] [CONN]"
    case .trace, .disconnect: "[NODE] CONN"
    case .loglevel: "[NODE] LEVEL"
    case .reload: "[NODE] [SCRIPT]"
    case .use: "NODE"
    }
  }

  public var meaning: String {
    switch self {
    case .nodes: "the nodes of this process"
    case .connections: "live connections"
    case .stats: "counters of a node, or of a connection"
    case .tasks: "everything that waits: for what, since when, where"
    case .trace: "live messages of a connection, decoded, until Ctrl-C"
    case .disconnect: "ends a connection, with its on_disconnect"
    case .loglevel: "the least level that is logged, of a node or of all"
    case .reload: "replaces a node's code: from its file, or from another"
    case .probation: "waits until the last reload is trusted, or rolled back"
    case .use: "the node that is meant where none is named"
    case .help: "this list"
    case .quit: "leaves the console; the nodes go on"
    }
  }
}

/// A line that was typed: a verb with its words, or Lua.
public enum ConsoleLine: Sendable, Equatable {
  case nothing
  case verb(ConsoleVerb, [String])
  case lua(String)

  /// The first word decides, unless what follows makes it Lua: `stats = 1`, `tasks.x`, `help()`. A `=` in front makes any
  /// line Lua.
  public init(_ line: String) {
    let text = line.drop { $0.isWhitespace }
    if text.isEmpty {
      self = .nothing
    } else if text.first == "=" {
      self = .lua(String(text.dropFirst()))
    } else {
      let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
      if let verb = ConsoleVerb(rawValue: words[0]), words.count < 2 || !words[1].hasPrefix("=") {
        self = .verb(verb, Array(words.dropFirst()))
      } else {
        self = .lua(String(text))
      }
    }
  }
}
