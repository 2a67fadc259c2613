import Glibc
import NodeScripting

/// A command that cannot go on: one message that says what, where and what to do, and the exit status.
struct CommandFailure: Error {
  var status: ExitStatus
  /// One mistake or several, a line each.
  var message: String

  init(_ status: ExitStatus, _ message: String) {
    self.status = status
    self.message = message
  }

  /// The same with what it is about in front.
  func about(_ subject: String) -> CommandFailure { CommandFailure(status, "\(subject): \(message)") }

  func leave() -> Never {
    LogQueue.standardError.addLast("moonpeer: \(message)\n")
    exit(status.rawValue)
  }
}

extension ScriptError {
  /// Scenarios have a module of their own, which no node's script has.
  var isAboutScenarioFile: Bool { message.contains("no module \"moonpeer.network\"") }
}

extension CommandFailure {
  /// What a script's error means for the command that met it.
  init(_ error: ScriptError) {
    let status: ExitStatus =
      switch error.code {
      case .file: .missingInput
      case .configuration: .usage
      case .engine: .network
      default: .failed
      }
    var message = "\(error)"
    if error.isAboutScenarioFile {
      message = (error.location ?? "this") + ": a scenario file has no node; run it with moonpeer test"
    } else if let traceback = error.traceback {
      message += "\n" + traceback
    }
    while message.hasSuffix("\n") { message.removeLast() }
    self.init(status, message)
  }

  /// The system's words for why a file or folder could not be written.
  static func cannotCreate(_ path: String, _ number: Int32) -> CommandFailure {
    CommandFailure(.cannotCreate, "cannot write \"\(path)\": \(String(cString: strerror(number)))")
  }
}
