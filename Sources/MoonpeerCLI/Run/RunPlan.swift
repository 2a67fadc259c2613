import NodeCore
import NodeEngine
import NodeScripting

/// The nodes that one `moonpeer run` is to start, worked out and checked before any of them is made.
struct RunPlan: Sendable {
  struct Planned: Sendable {
    var source: ScriptSource
    var options: ScriptOptions
  }

  private(set) var nodes: [Planned] = []
  let peers: [PeerAddress]
  /// How many descriptors the nodes may come to hold.
  private(set) var descriptors = 0

  /// - Throws: everything that can be refused without a network: a missing file, a script with mistakes, a wrong option.
  init(_ command: RunCommand, environment: NodeEnvironment) async throws(CommandFailure) {
    let settings = try command.configuration.checkedSettings()
    let arguments = try ArgumentSettings(command.settings)
    peers = try Self.addresses(command.peers)
    guard (1...Self.mostNodes).contains(command.count) else {
      throw CommandFailure(.usage, "--count: a number from 1 to \(Self.mostNodes) is expected, got \(command.count)")
    }
    var options = ScriptOptions()
    options.isTrusted = command.isTrusted
    options.configuration = settings.filter { $0.key != "name" }
    for path in command.unixSockets {
      if let problem = UnixSockets.problem(naming: path) {
        throw CommandFailure(.usage, "--unix-sockets: \"\(Printable.text(path))\": \(problem)")
      }
    }
    // A script may come back to where it was sent.
    options.unixSockets =
      command.unixSockets
      + peers.compactMap { peer in
        guard case .unix(let path) = peer else { return nil }
        return path
      }
    var loaded: [(source: ScriptSource, declaration: ScriptDeclaration)] = []
    var mistakes: [String] = []
    for path in command.scripts {
      do throws(ScriptError) {
        let source = try ScriptSource.file(path)
        let declaration = try await ScriptedNode.inspect(source, options: options, environment: environment)
        mistakes += declaration.problems.map(\.description)
        loaded.append((source, declaration))
      } catch {
        throw CommandFailure(error)
      }
    }
    guard mistakes.isEmpty else { throw CommandFailure(.failed, mistakes.joined(separator: "\n")) }
    try arguments.check(against: loaded.flatMap { $0.declaration.arguments.map(\.name) })
    let wishes = loaded.map { Self.nameWish(command.configuration.name, $0.declaration, $0.source) }
    var names = NodeNames(wishes.flatMap { Array(repeating: $0, count: command.count) })
    for (script, wish) in zip(loaded, wishes) {
      for _ in 0..<command.count {
        var mine = options
        mine.arguments = arguments.values(for: script.declaration)
        mine.name = names.next(wish)
        nodes.append(Planned(source: script.source, options: mine))
      }
    }
    let configurations = loaded.map { Self.configuration($0.declaration, settings) }
    try refuseSharedAddresses(configurations, perScript: command.count)
    descriptors = Self.descriptors(configurations, perScript: command.count)
  }

  static let mostNodes = 100_000

  private static func addresses(_ texts: [String]) throws(CommandFailure) -> [PeerAddress] {
    var result: [PeerAddress] = []
    for text in texts {
      do throws(NodeCoreError) {
        let address = try PeerAddress(parsing: text)
        guard address.port != 0 else { throw NodeCoreError(code: .address, message: "\(text): port 0 cannot be dialled") }
        if !result.contains(address) { result.append(address) }
      } catch {
        throw CommandFailure(.usage, "--connect: \(error.message)")
      }
    }
    return result
  }

  /// `--name`, the script's own `config.name`, its `name`, its file's.
  private static func nameWish(_ given: String?, _ declaration: ScriptDeclaration, _ source: ScriptSource) -> String {
    if let given { return given }
    if case .string(let text)? = declaration.configuration.first(where: { $0.key == "name" })?.value { return text }
    return declaration.name ?? NodeNames.base(ofPath: source.path)
  }

  /// What the nodes of a script will run with.
  private static func configuration(
    _ declaration: ScriptDeclaration, _ settings: [ConfigurationOptions.Setting]
  ) -> NodeConfiguration {
    var configuration = NodeConfiguration()
    // Both were found to be in order before.
    for (key, value) in declaration.configuration { try? configuration.set(key, to: value) }
    for (key, value) in settings { try? configuration.set(key, to: value) }
    return configuration
  }

  /// Where every node has as many connections as it may.
  private static func descriptors(_ configurations: [NodeConfiguration], perScript: Int) -> Int {
    // The program's own: files, log, loops.
    configurations.reduce(64 + EpollLoops.sharedCount * EpollLoop.descriptors) { sum, one in
      let each = min(one.maxConnections, 1 << 32) + one.listen.count + one.ioLoops * EpollLoop.descriptors
      return sum + each * perScript
    }
  }

  /// Only one node can listen on a fixed port or a Unix socket, unless they agree to share it.
  private func refuseSharedAddresses(_ configurations: [NodeConfiguration], perScript: Int) throws(CommandFailure) {
    var owners: [PeerAddress: Int] = [:]
    for configuration in configurations {
      for address in configuration.listen where address.port != 0 {
        if configuration.reusePort, address.port != nil { continue }
        owners[address, default: 0] += perScript
      }
    }
    for (address, count) in owners.sorted(by: { "\($0.key)" < "\($1.key)" }) where count > 1 {
      let share = address.port == nil ? "" : ", or let them share it with --reuse-port"
      let own = configurations.count == 1 ? "" : ", or say in each script's config where it listens"
      throw CommandFailure(
        .usage,
        "\(count) nodes cannot all listen on \(address); leave --listen out or give port 0, so that each gets a port of its own\(share)\(own)"
      )
    }
  }
}
