public import ArgumentParser
public import Logging

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// How the log is written; it goes to standard error.
struct LogOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable, Sendable { case text, json }

  @Option(help: ArgumentHelp("The least level that is logged.", valueName: "level"))
  var logLevel = Logger.Level.info

  @Option(help: ArgumentHelp("Lines for people, or one JSON object per line.", valueName: "format"))
  var logFormat = Format.text

  func logger() -> Logger { logger(LogLevels(logLevel)) }

  /// - Parameter levels: what can be changed later.
  func logger(_ levels: LogLevels) -> Logger {
    let render: @Sendable (LogLine) -> String
    switch logFormat {
    case .json: render = { JSONLogRenderer().render($0) }
    case .text:
      let clock: TextLogRenderer.Clock = Output.error.isTerminal ? .timeOfDay : .full
      let renderer = TextLogRenderer(palette: .for(.error), clock: clock)
      render = { renderer.render($0) }
    }
    LogQueue.standardError.sayLosses { count in
      let message = "\(count) \(count == 1 ? "line" : "lines") of the log lost: standard error was not read fast enough"
      return render(LogLine(time: .now, level: .warning, message: message, metadata: [:]))
    }
    return Logger(label: "moonpeer") { _ in StandardErrorLog(levels: levels, render: render) }
  }
}
