import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Synchronization

/// The nodes of one running scenario, on real sockets.
final class ScenarioWorld: Sendable {
  struct Entry: Sendable {
    var node: ScriptedNode?
    var source: ScriptSource
    var options: ScriptOptions
    var name: String
    var address: PeerAddress?
    /// The port of a node that is down, in case it comes back.
    var port: ReservedPort?
  }

  private let entries = Mutex<[Entry]>([])
  private let declarations = Mutex<[String: ScriptDeclaration]>([:])
  private let directory = NodeDirectory()
  private let folder: String
  /// For each node anew: the next loop's turn.
  private let environment: @Sendable () -> NodeEnvironment

  init(folder: String, environment: @escaping @Sendable () -> NodeEnvironment) {
    self.folder = folder
    self.environment = environment
  }

  private func entry(_ id: Int64) throws(ScriptError) -> Entry {
    let found = entries.withLock { entries in entries.indices.contains(Int(id) - 1) ? entries[Int(id) - 1] : nil }
    guard let found else { throw ScriptError(code: .script, message: "there is no node \(id)") }
    return found
  }

  private func running(_ id: Int64) throws(ScriptError) -> ScriptedNode {
    let entry = try entry(id)
    guard let node = entry.node else {
      throw ScriptError(code: .script, kind: "stopped", message: "\(entry.name) is not running; restart it first")
    }
    return node
  }

  /// What a script declares, looked up once for all of its nodes.
  private func declaration(
    of source: ScriptSource, in environment: NodeEnvironment
  ) async throws(ScriptError) -> ScriptDeclaration {
    if let known = declarations.withLock({ $0[source.path] }) { return known }
    let found = try await ScriptedNode.inspect(source, environment: environment)
    declarations.withLock { $0[source.path] = found }
    return found
  }

  /// Starts a node. Of the table it is given, declared arguments go to the script, configuration keys and `name` to the
  /// node.
  func start(_ script: String, _ given: LuaTable) async throws(ScriptError) -> (id: Int64, name: String) {
    let source = try ScriptSource.file(path(of: script))
    let environment = environment()
    let declared = try await declaration(of: source, in: environment)
    var options = ScriptOptions()
    // All nodes share one address here.
    options.defaults.maxConnectionsPerIP = 1 << 20
    let arguments = declared.arguments.map(\.name)
    let keys = NodeConfiguration.keys.map(\.name) + ["unix_sockets"]
    for field in given.fields {
      guard let key = field.key.text else { continue }
      if arguments.contains(key) {
        options.arguments[key] = field.value
      } else if key == "unix_sockets" {
        // The scenario file is its user's, and says what the nodes' scripts may.
        options.unixSockets = field.value.table?.array.compactMap(\.text) ?? [field.value.text].compactMap { $0 }
        if let problem = options.unixSockets.lazy.compactMap(UnixSockets.problem).first {
          throw ScriptError(code: .configuration, message: "unix_sockets: \(problem)")
        }
      } else if keys.contains(key) {
        options.configuration.append((key, ConfigurationValue(field.value)))
      } else {
        let hint = NearestName.hint(for: key, among: arguments + keys)
        throw ScriptError(
          code: .configuration, message: "\(script) has no argument \"\(key)\", nor is it a configuration key\(hint)")
      }
    }
    let count = entries.withLock { $0.count }
    if !given.fields.contains(where: { $0.key.text == "name" }) {
      options.name = "\(declared.name ?? "node")-\(count + 1)"
    } else if arguments.contains("name") {
      options.name = given["name"].text
    }
    let node = try await ScriptedNode.load(source, options: options, environment: environment, directory: directory)
    try await start(node)
    let address = await node.node.address
    let id = entries.withLock { [options] entries in
      entries.append(Entry(node: node, source: source, options: options, name: node.name, address: address))
      return Int64(entries.count)
    }
    return (id, node.name)
  }

  /// Which node and which of its hooks it was goes into the message: that is what a scenario's error shows.
  private func start(_ node: ScriptedNode) async throws(ScriptError) {
    do {
      try await node.start()
    } catch {
      var error = error
      let hook = error.hook.map { "in \($0): " } ?? ""
      error.message = "\(node.name) did not start: \(hook)\(error.message)"
      throw error
    }
  }

  func call(_ id: Int64, _ name: String, _ arguments: [LuaValue]) async throws(ScriptError) -> [LuaValue] {
    try await running(id).call(name, arguments)
  }

  func evaluate(_ id: Int64, _ code: String, _ arguments: [LuaValue]) async throws(ScriptError) -> [LuaValue] {
    try await running(id).evaluate(code, arguments)
  }

  func connect(_ from: Int64, _ to: Int64) async throws(ScriptError) {
    let node = try running(from)
    let target = try entry(to)
    guard let address = await target.node?.node.address else {
      throw ScriptError(code: .script, message: "\(target.name) does not listen, so \(node.name) cannot connect to it")
    }
    do {
      _ = try await node.node.connect(to: address)
    } catch {
      throw ScriptError(
        code: .engine, kind: error.code.rawValue, message: "\(node.name) could not connect to \(target.name): \(error)")
    }
  }

  func address(_ id: Int64) async throws(ScriptError) -> PeerAddress? { await (try entry(id)).node?.node.address }
  func connected(_ id: Int64) async throws(ScriptError) -> Int { await (try entry(id)).node?.node.counts.connected ?? 0 }
  func connections(_ id: Int64) async throws(ScriptError) -> [ConnectionInfo] { await (try running(id)).node.connections() }
  func statistics(_ id: Int64) async throws(ScriptError) -> TrafficStatistics { await (try running(id)).node.statistics() }
  func heuristics(_ id: Int64) async throws(ScriptError) -> Heuristics { await (try running(id)).node.heuristics() }

  /// Ends a node, in order or as a crash would; false when it was not running.
  func stop(_ id: Int64, isCrash: Bool) async throws(ScriptError) -> Bool {
    let entry = try entry(id)
    guard let node = entry.node else { return false }
    entries.withLock { $0[Int(id) - 1].node = nil }
    if isCrash { await node.crash() } else { await node.shutDown() }
    let port = entry.address.flatMap(ReservedPort.init)
    entries.withLock { $0[Int(id) - 1].port = port }
    return true
  }

  /// Gives a running node new code: another script, or its own as it is on disk now.
  func reload(_ id: Int64, _ script: String?) async throws(ScriptError) -> ReloadReport {
    let node = try running(id)
    let source = try script.map { name throws(ScriptError) in try ScriptSource.file(path(of: name)) }
    let report = try await node.reload(source)
    // What a restart starts is what the node runs.
    if let source { entries.withLock { $0[Int(id) - 1].source = source } }
    return report
  }

  private func path(of script: String) -> String { script.hasPrefix("/") || folder == "." ? script : folder + "/" + script }

  /// Starts a node anew, with an empty state, where it listened before.
  func restart(_ id: Int64) async throws(ScriptError) {
    _ = try await stop(id, isCrash: false)
    let entry = try entry(id)
    var options = entry.options
    options.name = entry.name
    if let address = entry.address {
      options.configuration.removeAll { $0.key == "listen" }
      options.configuration.append(("listen", .string("\(address)")))
    }
    let environment = environment()
    let node = try await ScriptedNode.load(entry.source, options: options, environment: environment, directory: directory)
    try await start(node)
    entries.withLock { entries in
      entries[Int(id) - 1].node = node
      entries[Int(id) - 1].port = nil
    }
  }

  /// Ends every node at once; the names of those that are still not over when the time is.
  func close(within bound: Duration) async -> [String] {
    let running = entries.withLock { entries in
      let running = entries.compactMap(\.node)
      for index in entries.indices { entries[index].node = nil }
      return running
    }
    let left = Stopping(running.map(\.name))
    _ = await TestNetwork.within(bound) {
      await withTaskGroup(of: Void.self) { tasks in
        for node in running {
          tasks.addTask {
            await node.shutDown()
            left.remove(node.name)
          }
        }
      }
    }
    return left.names
  }
}

private final class Stopping: Sendable {
  private let list: Mutex<[String]>

  init(_ names: [String]) { list = Mutex(names) }

  var names: [String] { list.withLock { $0 } }
  func remove(_ name: String) { list.withLock { $0.removeAll { $0 == name } } }
}

extension ConfigurationValue {
  init(_ value: LuaValue) {
    switch value {
    case .boolean(let flag): self = .boolean(flag)
    case .integer(let number): self = .integer(number)
    case .number(let number): self = .number(number)
    case .table(let table): self = .list(table.array.map(\.description))
    case .string, .nil: self = .string(value.description)
    }
  }
}
