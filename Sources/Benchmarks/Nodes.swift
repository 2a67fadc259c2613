import Logging
import LuaHost
import NIOPosix
import NodeCore
import NodeEngine
import NodeScripting

/// The nodes of a run: each on the next loop of its group.
final class Nodes: Sendable {
  private let environment: @Sendable () -> NodeEnvironment
  /// Of the loop that the first node gets; nil where a backend has none.
  let executor: (any TaskExecutor)?

  init(_ environment: @escaping @Sendable () -> NodeEnvironment) {
    self.environment = environment
    executor = nil
  }

  init(_ parameters: Parameters) {
    var logger = Logger(label: "bench")
    logger.logLevel = .critical
    switch parameters.backend {
    case .nio:
      let group = MultiThreadedEventLoopGroup(numberOfThreads: parameters.loops)
      environment = { [logger] in .sockets(on: group, logger: logger) }
      executor = nil
    case .epoll:
      let loops = EpollLoops(count: parameters.loops)
      environment = { [logger] in .sockets(on: loops, logger: logger) }
      executor = loops.first.taskExecutor
    }
  }

  func lua(_ text: String, _ arguments: [String: LuaValue] = [:], listens: Bool = true, ioLoops: Int = 0) async throws
    -> ScriptedNode
  {
    var options = ScriptOptions()
    options.defaults = configuration(listens: listens)
    options.defaults.ioLoops = ioLoops
    options.arguments = arguments
    let node = try await ScriptedNode.load(
      ScriptSource(name: "bench.lua", text: text), options: options, environment: environment())
    try await node.start()
    return node
  }

  func swift(_ logic: any Sendable, listens: Bool = true) async throws -> Node {
    let node = try Node(configuration: configuration(listens: listens), environment: environment()) {
      SwiftHooks(logic, node: $0)
    }
    try await node.start()
    return node
  }

  private func configuration(listens: Bool) -> NodeConfiguration {
    var configuration = NodeConfiguration()
    if !listens { configuration.listen = [] }
    configuration.maxConnections = 200_000
    configuration.maxConnectionsPerIP = 200_000
    configuration.maxConnecting = 10_000
    configuration.listenerBacklog = 4096
    configuration.idleTimeout = .zero
    return configuration
  }
}

/// Asks until it is so.
func until(_ what: String, within seconds: Double = 60, _ isSo: () async throws -> Bool) async throws {
  let stop = Machine.seconds + seconds
  while try await !isSo() {
    guard Machine.seconds < stop else { throw BenchError("\(what): not within \(seconds) s") }
    try await Task.sleep(for: .microseconds(200))
  }
}
