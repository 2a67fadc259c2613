/// How the program ends. The numbers from 64 on are those of sysexits(3). docs/cli.md has the same table.
enum ExitStatus: Int32, CaseIterable {
  case success = 0
  case failed = 1
  case usage = 64
  case missingInput = 66
  case network = 69
  case system = 71
  case cannotCreate = 73
  case outputLost = 74
  case interrupted = 130
  case terminated = 143

  var meaning: String {
    switch self {
    case .success: "all went well; run: stopped in order"
    case .failed: "a failed scenario, a script's mistake, Lua that raised, a late shutdown"
    case .usage: "a wrong option, argument or configuration value"
    case .missingInput: "a script or scenario file that is missing or cannot be read"
    case .network: "an address in use or out of reach; console: no nodes run"
    case .system: "threads that the system refuses, at the start of any command"
    case .cannotCreate: "an output file that cannot be written, or is there already"
    case .outputLost: "standard output cannot be written"
    case .interrupted: "interrupted by Ctrl-C; run: by a second one"
    case .terminated: "the same by SIGTERM"
    }
  }

  /// For the help text.
  static var helpTable: String {
    allCases.map { status in
      let number = String(status.rawValue)
      return "  " + String(repeating: " ", count: 3 - number.count) + number + "  " + status.meaning
    }.joined(separator: "\n")
  }
}
