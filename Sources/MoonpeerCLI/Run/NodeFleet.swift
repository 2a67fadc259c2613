import Logging
import NodeCore
import NodeEngine
import NodeScripting
import ServiceLifecycle

/// The nodes of one `moonpeer run`, as one service: started in order, shut down together.
struct NodeFleet: Service {
  let nodes: [ScriptedNode]
  let dialling: Dialling
  let reloading: Reloading
  /// nil: files are not watched.
  let watch: FileWatch?
  let logger: Logger
  /// A node that takes longer to start is spoken of.
  private static let startPatience = Duration.seconds(2)

  /// Loads every script; nothing listens yet.
  static func load(
    _ plan: RunPlan, schedule: RetrySchedule, reloading: Reloading, watch: FileWatch?, logger: Logger,
    tap: (any TrafficTap)? = nil
  ) async throws(CommandFailure) -> NodeFleet {
    let directory = NodeDirectory()
    var environment: NodeEnvironment {
      // Each node on a loop of its own, as far as there are enough.
      var environment = NodeEnvironment.sockets(logger: logger)
      environment.tap = tap
      return environment
    }
    var nodes: [ScriptedNode] = []
    for planned in plan.nodes {
      do throws(ScriptError) {
        nodes.append(
          try await ScriptedNode.load(
            planned.source, options: planned.options, environment: environment, directory: directory))
      } catch {
        throw CommandFailure(error)
      }
    }
    let dialling = Dialling(peers: plan.peers, schedule: schedule, logger: logger)
    return NodeFleet(nodes: nodes, dialling: dialling, reloading: reloading, watch: watch, logger: logger)
  }

  /// Until a graceful shutdown, or until every node has stopped by itself.
  ///
  /// - Throws: ``CommandFailure`` for a node that does not start or reaches none of its peers; the others are shut down
  ///   first.
  func run() async throws {
    let failure = await withGracefulShutdownHandler {
      await live()
    } onGracefulShutdown: {
      Task { await shutDown() }
    }
    await shutDown()
    if let failure { throw failure }
  }

  private func live() async -> CommandFailure? {
    for node in nodes {
      let waiting = Task {
        try await Task.sleep(for: Self.startPatience)
        logger.notice("\(node.name) has not started yet: its init has not ended; the nodes behind it wait")
      }
      defer { waiting.cancel() }
      do throws(ScriptError) {
        try await node.start()
      } catch {
        // Asked to leave while starting: that is no failure.
        return Task.isShuttingDownGracefully ? nil : CommandFailure(error).about(node.name)
      }
      await announce(node)
    }
    let unreached = await cancelWhenGracefulShutdown { await dialling.run(nodes) }
    if !unreached.isEmpty, !Task.isShuttingDownGracefully {
      let peers = dialling.peers.map(\.description).joined(separator: ", ")
      return CommandFailure(.network, "\(unreached.joined(separator: ", ")): no connection to any of --connect \(peers)")
    }
    await withTaskGroup(of: Void.self) { tasks in
      tasks.addTask { await reloading.run(nodes, watch: watch) }
      for node in nodes { await node.node.waitUntilStopped() }
      tasks.cancelAll()
    }
    return nil
  }

  private func announce(_ node: ScriptedNode) async {
    let addresses = await node.node.addresses.map(\.description)
    let text = addresses.isEmpty ? "does not listen" : "listens on " + addresses.joined(separator: ", ")
    do throws(CommandFailure) {
      try Output.standard.write("\(node.name) \(text)\n")
    } catch {
      // A node goes on without a reader; its log still says where it is.
      logger.warning("\(error.message); \(node.name) \(text)")
    }
  }

  private func shutDown() async {
    await withTaskGroup(of: Void.self) { tasks in
      for node in nodes { tasks.addTask { await node.shutDown() } }
    }
  }
}
