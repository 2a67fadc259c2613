import ArgumentParser

/// The root command: what `moonpeer` alone and `moonpeer --help` show.
struct Moonpeer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moonpeer",
    abstract: "Runs peer-to-peer nodes whose behaviour is written in Lua.",
    discussion: """
      Examples:
        moonpeer new ping               a folder with a script and a scenario
        moonpeer check ping/ping.lua    what a script declares, and its mistakes
        moonpeer test ping              every scenario in a folder
        moonpeer run ping/ping.lua --listen 127.0.0.1:4000
        moonpeer console                look into the nodes that run

      Exit status:
      \(ExitStatus.helpTable)
      """,
    version: Version.text,
    subcommands: [
      RunCommand.self, CheckCommand.self, TestCommand.self, NewCommand.self, ConsoleCommand.self, ReloadCommand.self,
    ])
}
