import Logging
import NodeScripting

/// The reloads of one `moonpeer run`: asked for by SIGHUP or by changed files, carried out one after the other.
final class Reloading: Sendable {
  /// Why, and for which nodes.
  enum Trigger: Sendable {
    case hangup
    /// By ``FileWatch/key(of:)``.
    case changed(Set<String>)
  }

  private let rolling: RollingReload
  private let logger: Logger
  private let triggers: AsyncStream<Trigger>
  private let feed: AsyncStream<Trigger>.Continuation

  init(canary: Double, logger: Logger) {
    rolling = RollingReload(canary: canary)
    self.logger = logger
    (triggers, feed) = AsyncStream.makeStream()
  }

  func ask(_ trigger: Trigger) { feed.yield(trigger) }

  /// A watched folder is not there any more.
  func lost(_ folder: String) {
    logger.warning("--watch: there is nothing at \(folder) any more; the code that runs goes on until there is")
  }

  /// Until the task is cancelled.
  ///
  /// - Parameter watch: is told of files that have come into play.
  func run(_ nodes: [ScriptedNode], watch: FileWatch?) async {
    await follow(nodes, watch)
    var failed: Set<String> = []
    for await trigger in triggers {
      // Anew each time: a node may have got its code from another file meanwhile.
      for script in await Self.byScript(nodes) {
        guard await concerns(trigger, script.nodes, hasFailed: failed.contains(script.path)) else { continue }
        failed.remove(script.path)
        if await !reload(script.path, script.nodes) { failed.insert(script.path) }
      }
      await follow(nodes, watch)
    }
  }

  /// The nodes of one script go together.
  private static func byScript(_ nodes: [ScriptedNode]) async -> [(path: String, nodes: [ScriptedNode])] {
    var scripts: [(path: String, nodes: [ScriptedNode])] = []
    for node in nodes {
      let path = await node.files().first ?? ""
      if let index = scripts.firstIndex(where: { $0.path == path }) {
        scripts[index].nodes.append(node)
      } else {
        scripts.append((path, [node]))
      }
    }
    return scripts
  }

  private func concerns(_ trigger: Trigger, _ nodes: [ScriptedNode], hasFailed: Bool) async -> Bool {
    guard case .changed(let paths) = trigger else { return true }
    // What was missing may have come, under whatever name.
    if hasFailed, paths.contains(where: { $0.hasSuffix(".lua") }) { return true }
    for node in nodes {
      for file in await node.watchedFiles() {
        let key = FileWatch.key(of: file)
        if paths.contains(where: { $0 == key || $0.hasSuffix("/") && key.hasPrefix($0) }) { return true }
      }
    }
    return false
  }

  private func reload(_ path: String, _ nodes: [ScriptedNode]) async -> Bool {
    logger.notice("reloading \(path)")
    let outcome = await rolling.run(nodes)
    guard let problem = outcome.problem else {
      // All have stopped by themselves.
      guard !outcome.reloaded.isEmpty else { return true }
      logger.notice("reloaded \(path): \(outcome.reloaded.count) of \(nodes.count) nodes")
      return true
    }
    let untouched = outcome.untouched.isEmpty ? "" : "; not asked: \(outcome.untouched.joined(separator: ", "))"
    let count = outcome.reloaded.count
    let how = count == 0 ? "is not reloaded" : "is not reloaded any further, \(count) of \(nodes.count) nodes have it"
    logger.error("\(path) \(how): \(problem)\(untouched)")
    return false
  }

  private func follow(_ nodes: [ScriptedNode], _ watch: FileWatch?) async {
    guard let watch else { return }
    var files: [String] = []
    for node in nodes { files += await node.watchedFiles() }
    for problem in watch.watch(files) { logger.warning("--watch: cannot watch \(problem)") }
  }
}
