import ArgumentParser
import Glibc
import NodeCore

/// One call of the program, from its arguments to its exit status.
struct CommandLineRun {
  let arguments: [String]

  init(_ arguments: [String]) { self.arguments = Self.joiningNegativeValues(arguments) }

  /// `--idle-timeout -1` as `--idle-timeout=-1`: the parser takes whatever begins with a dash for an option, and would say
  /// that the value is missing where it is wrong.
  static func joiningNegativeValues(_ arguments: [String]) -> [String] {
    var joined: [String] = []
    for argument in arguments {
      let isNegative = argument.first == "-" && argument.dropFirst().first.map { $0.isNumber || $0 == "." } ?? false
      if isNegative, let last = joined.last, last.hasPrefix("--"), last.count > 2, !last.contains("="), !joined.contains("--") {
        joined[joined.count - 1] = last + "=" + argument
      } else {
        joined.append(argument)
      }
    }
    return joined
  }

  func finish() async -> Never {
    do {
      try Self.refuseUnknownCommand(arguments)
      var command = try Moonpeer.parseAsRoot(arguments)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      LogQueue.standardError.flush()
      exit(ExitStatus.success.rawValue)
    } catch {
      Self.leave(because: error)
    }
  }

  /// Says what went wrong, once, and leaves with the status that belongs to it.
  static func leave(because error: any Error) -> Never {
    switch error {
    case let failure as CommandFailure: failure.leave()
    default: break
    }
    // Help and `--version` come as errors too; they are what was asked for.
    let status = Moonpeer.exitCode(for: error).rawValue
    var message = Moonpeer.fullMessage(for: error)
    if message.hasPrefix("Error: ") { message = "moonpeer: " + message.dropFirst(7) }
    if status != ExitStatus.success.rawValue {
      // A bare exit status comes without words: all has been said.
      LogQueue.standardError.addLast(message.isEmpty ? "" : message + "\n")
    } else if !message.isEmpty {
      do throws(CommandFailure) { try Output.standard.write(message + "\n") } catch { error.leave() }
    }
    exit(status)
  }

  /// The parser takes a mistyped command for a stray argument; this says what was meant.
  static func refuseUnknownCommand(_ arguments: [String]) throws(CommandFailure) {
    let arguments = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let word = arguments.first, !word.hasPrefix("-") else { return }
    let names = Moonpeer.configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    guard !names.contains(word) else { return }
    var hint = NearestName.hint(for: word, among: names)
    if hint.isEmpty { hint = word.hasSuffix(".lua") ? "; to run a script: moonpeer run \(word)" : "; see moonpeer --help" }
    throw CommandFailure(.usage, "there is no command \"\(Printable.text(word))\"\(hint)")
  }
}
