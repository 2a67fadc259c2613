import ArgumentParser
import Dispatch
import Glibc
import Logging
import NodeAdmin
import NodeCore
import NodeEngine
import ServiceLifecycle

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run one script or several as nodes.",
    usage: "moonpeer run [<options>] <script> ...",
    discussion: """
      Prints where each node listens and runs until Ctrl-C or SIGTERM, which shut the nodes down in order: \
      on_shutdown, on_disconnect for every connection, what is queued, the port. A second Ctrl-C leaves at once. The \
      log goes to standard error.

      Scripts of one process reach each other with node:call("name", …). A node is called what --name, the script's \
      config.name, its name or its file says; where several nodes would share a name they are name-1, name-2, ….

      With --connect, a node that reaches none of the addresses ends the run with exit status 69.

      Examples:
        moonpeer run chat.lua --listen 0.0.0.0:4000 --max-connections 50
        moonpeer run gossip.lua --connect seed.example:4000 --set fanout=3
        moonpeer run gossip.lua --count 20 --log-level warning
        moonpeer run proxy.lua backend.lua --log-format json
        moonpeer run chat.lua --watch
        moonpeer run chat.lua --metrics 9464 --capture chat.pcapng

      SIGHUP reloads every node from its file: same connections, same state. A script with mistakes changes nothing.
      """)

  @Argument(help: ArgumentHelp("The scripts; each becomes a node.", valueName: "script"))
  var scripts: [String]

  @Option(help: ArgumentHelp("Nodes per script.", valueName: "number"))
  var count = 1

  @Option(name: .customLong("set"), help: ArgumentHelp("Give a declared argument a value.", valueName: "name=value"))
  var settings: [String] = []

  @Option(
    name: .customLong("connect"),
    help: ArgumentHelp("Dial this address once the nodes listen; may be repeated.", valueName: "address"))
  var peers: [String] = []

  @Option(help: ArgumentHelp("How often each dial of --connect is tried.", valueName: "number"))
  var connectAttempts = 5

  @Option(help: ArgumentHelp("How long a shutdown may take.", valueName: "duration"))
  var shutdownTimeout = "10s"

  @Flag(help: "Reload a script's nodes whenever its file or a module it requires is saved.")
  var watch = false

  @Option(
    help: ArgumentHelp(
      "Of the nodes of a script, reload so many first, and the others when those have held.", valueName: "percent"))
  var canary = "0%"

  @Option(
    help: ArgumentHelp(
      "Serve metrics as Prometheus text there, under /metrics; a port alone means loopback, 0 any free one.",
      valueName: "address"))
  var metrics: String?

  @Option(help: ArgumentHelp("Write all messages into a new pcapng file, for Wireshark.", valueName: "file"))
  var capture: String?

  @Option(
    help: ArgumentHelp("Where the console's socket is; off: none (default: in the user's own folder).", valueName: "path|off"))
  var console: String?

  @Flag(name: .customLong("trusted"), help: "Give the scripts all of Lua's libraries: files, processes, everything.")
  var isTrusted = false

  @Option(
    help: ArgumentHelp(
      "Let the scripts dial and listen at this Unix socket, or at those in this folder; may be repeated.", valueName: "path"))
  var unixSockets: [String] = []

  @OptionGroup(title: "Log options")
  var logging: LogOptions

  @OptionGroup(title: "Configuration, set over the scripts' own")
  var configuration: ConfigurationOptions

  func run() async throws {
    try EnvironmentVariables.check()
    let levels = LogLevels(logging.logLevel)
    let logger = logging.logger(levels)
    let reloading = Reloading(canary: try CanaryShare.parse(canary), logger: logger)
    // Before anything that takes time: one that comes while the scripts are loaded is carried out when the nodes run.
    try Hangups.watch { reloading.ask(.hangup) }
    let limit = try Self.duration(shutdownTimeout, "--shutdown-timeout")
    guard (1...1000).contains(connectAttempts) else {
      throw CommandFailure(.usage, "--connect-attempts: a number from 1 to 1000 is expected, got \(connectAttempts)")
    }
    var observers = try RunObservers(metrics: metrics, capture: capture, logger: logger)
    // The plan only looks at the scripts: what their top level logs is logged when they are loaded.
    let quiet = Logger(label: "moonpeer") { _ in SwiftLogNoOpLogHandler() }
    let plan = try await RunPlan(self, environment: .sockets(logger: quiet))
    if let shortage = DescriptorLimit.raise().shortage(of: plan.descriptors) {
      logger.warning("\(shortage), or a smaller --max-connections")
    }
    try observers.openCapture()
    let files = watch ? try FileWatch(onChange: { reloading.ask(.changed($0)) }, onLoss: reloading.lost) : nil
    files?.start()
    defer { files?.stop() }
    let fleet: NodeFleet
    do {
      fleet = try await NodeFleet.load(
        plan, schedule: RetrySchedule(attempts: connectAttempts), reloading: reloading, watch: files, logger: logger,
        tap: observers.capture)
      try await observers.serveMetrics(of: fleet.nodes)
    } catch {
      await observers.abandon()
      throw error
    }
    // The group's own log would say the same once more, in other words.
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          ServiceGroupConfiguration.ServiceConfiguration(
            service: fleet, successTerminationBehavior: .gracefullyShutdownGroup)
        ], logger: quiet))
    try Interrupts.install { number in
      logger.notice("shutting down; \(number == SIGINT ? "Ctrl-C once more" : "a second signal") leaves at once")
      Self.leave(after: limit)
      Task { await group.triggerGracefulShutdown() }
    }
    var server: ConsoleServer?
    do {
      server = try await RunConsole.open(console, nodes: fleet.nodes, levels: levels, logger: logger)
      try await group.run()
    } catch {
      await server?.close()
      await observers.finish()
      throw error
    }
    await server?.close()
    await observers.finish()
  }

  /// The bound of a shutdown, kept by Dispatch: whatever is stuck, it is not this.
  private static func leave(after limit: Duration) {
    let (seconds, attoseconds) = limit.components
    let nanoseconds = min(seconds, 1_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000
    DispatchQueue(label: "moonpeer.shutdown").asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) {
      LogQueue.standardError.addLast(
        "moonpeer: the shutdown took longer than \(limit) (--shutdown-timeout); left without finishing it\n")
      _exit(ExitStatus.failed.rawValue)
    }
  }

  private static func duration(_ text: String, _ option: String) throws(CommandFailure) -> Duration {
    do throws(NodeCoreError) {
      let duration = try DurationText.parse(text)
      guard duration > .zero else { throw NodeCoreError(code: .duration, message: "0 makes no sense here") }
      return duration
    } catch {
      throw CommandFailure(.usage, "\(option): \(error.message)")
    }
  }
}
