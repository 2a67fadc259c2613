/// A value for a key as it comes from a script, the command line or a file.
public enum ConfigurationValue: Sendable, Equatable {
  case string(String), integer(Int64), number(Double), boolean(Bool), list([String])
}

/// One key of the configuration: declared here once; scripts, the command line, `check` and docs read it from here.
public struct ConfigurationKey: Sendable {
  /// What a value of the key is: how it is read, and what the command line and the reference say of it.
  public enum Kind: Sendable, Equatable {
    case duration, size, count, boolean, text, addresses
    case choice([String])
  }
  /// What 0 means.
  public enum Zero: Sendable { case refused, none, allowed }
  /// What a reload does with another value: sets it, or only warns that it needs a restart.
  public enum Change: Sendable { case atOnce, restart }

  /// Its name in scripts, such as `max_connections`.
  public let name: String
  /// How its value is read.
  public let kind: Kind
  /// The default as the docs show it.
  public let defaultText: String
  /// What it is, in a few words that begin small and end without a full stop.
  public let help: String
  /// What 0 means for it.
  public let zero: Zero
  /// When another value takes effect on a running node.
  public let change: Change
  let assign: @Sendable (inout NodeConfiguration, ConfigurationValue) throws -> Void
  let read: @Sendable (NodeConfiguration) -> ConfigurationValue?

  init(
    name: String, kind: Kind, defaultText: String, help: String, zero: Zero, change: Change = .atOnce,
    assign: @escaping @Sendable (inout NodeConfiguration, ConfigurationValue) throws -> Void,
    read: @escaping @Sendable (NodeConfiguration) -> ConfigurationValue?
  ) {
    self.name = name
    self.kind = kind
    self.defaultText = defaultText
    self.help = help
    self.zero = zero
    self.change = change
    self.assign = assign
    self.read = read
  }

  /// What a configuration has for this key: durations in seconds, sizes in bytes; nil where it is not set.
  public func value(of configuration: NodeConfiguration) -> ConfigurationValue? { read(configuration) }

  /// Whether it protects the process from the node's script: whoever runs the script decides on it.
  public var isWall: Bool { ["max_listeners", "script_memory", "script_time", "max_calls"].contains(name) }

  /// The option's spelling on the command line.
  public var option: String { "--" + String(name.map { $0 == "_" ? "-" : $0 }) }
}

extension NodeConfiguration {
  /// A property of the configuration that a key sets.
  public typealias Path<Value> = any WritableKeyPath<NodeConfiguration, Value> & Sendable

  /// Every key, in the order of the reference.
  public static let keys: [ConfigurationKey] = [
    ConfigurationKey(
      name: "name", kind: .text, defaultText: "a sequential number", help: "the node's name in logs and metrics", zero: .allowed,
      change: .restart,
      assign: { configuration, value in configuration.name = try text(value, "name") },
      read: { $0.name.map { .string($0) } }),
    ConfigurationKey(
      name: "listen", kind: .addresses, defaultText: "127.0.0.1:0",
      help: "where the node listens: an address, a list of them, or \"none\"", zero: .allowed, change: .restart,
      assign: { configuration, value in configuration.listen = try addresses(value) },
      read: { .list($0.listen.map { "\($0)" }) }),
    count("listener_backlog", \.listenerBacklog, "128", "connections the kernel may hold for the listener", change: .restart),
    count("max_listeners", \.maxListeners, "16", "addresses it may listen at together, those of node:listen included"),
    ConfigurationKey(
      name: "reuse_port", kind: .boolean, defaultText: "false", help: "let several live listeners share one port", zero: .allowed,
      change: .restart,
      assign: { configuration, value in configuration.reusePort = try boolean(value, "reuse_port") },
      read: { .boolean($0.reusePort) }),
    count("max_connections", \.maxConnections, "100", "connections, pending ones included"),
    count("max_connections_per_ip", \.maxConnectionsPerIP, "16", "connections per IP address"),
    ConfigurationKey(
      name: "max_connections_per_subnet", kind: .count, defaultText: "none", help: "connections per /24 (IPv4) or /64 (IPv6)",
      zero: .refused,
      assign: { configuration, value in
        configuration.maxConnectionsPerSubnet =
          value == .string("none") ? nil : try whole(value, "max_connections_per_subnet")
      }, read: { $0.maxConnectionsPerSubnet.map { .integer(Int64($0)) } }),
    count("max_connecting", \.maxConnecting, "100", "set-ups in progress, both directions; at most max_connections"),
    duration("connection_timeout", \.connectionTimeout, "1s", "for the TCP connect, and before it for the look-up of a name"),
    duration("handshake_timeout", \.handshakeTimeout, "3s", "for the handshake hook"),
    duration("idle_timeout", \.idleTimeout, "60s", "without an inbound message before the connection is closed", zero: .none),
    duration("write_timeout", \.writeTimeout, "10s", "for the kernel to take the head of the outbound queue"),
    duration("on_disconnect_timeout", \.onDisconnectTimeout, "3s", "for the on_disconnect hook"),
    duration("on_shutdown_timeout", \.onShutdownTimeout, "3s", "for the on_shutdown hook"),
    count("inbound_queue", \.inboundQueue, "64", "messages that may wait while a hook is busy"),
    ConfigurationKey(
      name: "inbound_policy", kind: .choice(InboundPolicy.allCases.map(\.rawValue)), defaultText: "backpressure",
      help: "what happens to messages over inbound_queue: stop reading, or drop them", zero: .allowed,
      assign: { configuration, value in
        let text = try text(value, "inbound_policy")
        guard let policy = InboundPolicy(rawValue: text) else {
          throw wrong("inbound_policy", "\"backpressure\" or \"drop\"", value)
        }
        configuration.inboundPolicy = policy
      }, read: { .string($0.inboundPolicy.rawValue) }),
    size("outbound_high_water", \.outboundHighWater, "256KiB", "queued bytes over which senders wait"),
    size("outbound_low_water", \.outboundLowWater, "64KiB", "queued bytes under which they go on"),
    ConfigurationKey(
      name: "max_read_buffer", kind: .size, defaultText: "the codec's max and one read",
      help: "bytes received and not yet handled", zero: .refused,
      assign: { configuration, value in configuration.maxReadBuffer = try bytes(value, "max_read_buffer") },
      read: { $0.maxReadBuffer.map { .integer(Int64($0)) } }),
    count(
      "io_loops", \.ioLoops, "0", "threads that read and write the sockets for the node's own; 0: that does it itself",
      zero: .allowed, change: .restart),
    size("script_memory", \.scriptMemory, "64MiB", "memory of the node's script", zero: .none),
    duration("script_time", \.scriptTime, "1s", "of one uninterrupted run of script code", zero: .none),
    count("max_calls", \.maxCalls, "100", "calls of other scripts under way in the node, and as many of its own in others"),
    duration("reload_timeout", \.reloadTimeout, "5s", "for running hooks to end before a reload is given up"),
    duration(
      "probation", \.probation, "10s", "in which the code of a reload is watched and may be rolled back; 0: not at all",
      zero: .allowed),
    count("probation_hooks", \.probationHooks, "100", "hooks after which the watching ends, if that comes first"),
    count("probation_failures", \.probationFailures, "0", "failures in that time that roll nothing back yet", zero: .allowed),
  ]

  /// Those whose values are numbers: looked at whenever a node starts.
  static let numericKeys = keys.filter { [.duration, .size, .count].contains($0.kind) }

  /// Sets a key by its name.
  ///
  /// - Throws: code `configuration`: an unknown key (with the nearest one), or a value it cannot have.
  public mutating func set(_ name: String, to value: ConfigurationValue) throws(NodeCoreError) {
    guard let key = Self.keys.first(where: { $0.name == name }) else {
      let hint = NearestName.hint(for: name, among: Self.keys.map(\.name))
      throw NodeCoreError(code: .configuration, message: "there is no configuration key \"\(name)\"\(hint)")
    }
    do {
      try key.assign(&self, value)
    } catch {
      // The closures of `keys` cannot be typed in Swift 6.3; each throws only this.
      throw error as! NodeCoreError
    }
  }

  // How the kinds are read.

  private static func count(
    _ name: String, _ path: Path<Int>, _ text: String, _ help: String, zero: ConfigurationKey.Zero = .refused,
    change: ConfigurationKey.Change = .atOnce
  ) -> ConfigurationKey {
    ConfigurationKey(
      name: name, kind: .count, defaultText: text, help: help, zero: zero, change: change,
      assign: { configuration, value in configuration[keyPath: path] = try whole(value, name) },
      read: { .integer(Int64($0[keyPath: path])) })
  }

  private static func size(
    _ name: String, _ path: Path<Int>, _ text: String, _ help: String, zero: ConfigurationKey.Zero = .refused
  ) -> ConfigurationKey {
    ConfigurationKey(
      name: name, kind: .size, defaultText: text, help: help, zero: zero,
      assign: { configuration, value in configuration[keyPath: path] = try bytes(value, name) },
      read: { .integer(Int64($0[keyPath: path])) })
  }

  private static func duration(
    _ name: String, _ path: Path<Duration>, _ text: String, _ help: String, zero: ConfigurationKey.Zero = .refused
  ) -> ConfigurationKey {
    ConfigurationKey(
      name: name, kind: .duration, defaultText: text, help: help, zero: zero,
      assign: { configuration, value in configuration[keyPath: path] = try time(value, name) },
      read: { .number($0[keyPath: path].seconds) })
  }

  private static func wrong(_ key: String, _ expected: String, _ value: ConfigurationValue) -> NodeCoreError {
    let got: String
    switch value {
    case .string(let text): got = "\"\(text)\""
    case .integer(let number): got = "\(number)"
    case .number(let number): got = "\(number)"
    case .boolean(let flag): got = "\(flag)"
    case .list(let values): got = "a list (\(values.joined(separator: ", ")))"
    }
    return NodeCoreError(code: .configuration, message: "\(key): \(expected) is expected, got \(got)")
  }

  /// Far over any memory; the same in bytes and in words, so that a value can be set again as it is given.
  private static let most = 1 << 40

  private static func whole(_ value: ConfigurationValue, _ key: String) throws(NodeCoreError) -> Int {
    let number: Int?
    switch value {
    case .integer(let value): number = Int(exactly: value)
    case .number(let value): number = Int(exactly: value)
    case .string(let text): number = Int(text)
    default: number = nil
    }
    if let number, number >= 0, number <= most { return number }
    throw wrong(key, isOver(value) ? "a whole number of at most \(most)" : "a whole number of 0 or more", value)
  }

  /// Whether a value is right but for being too large: it begins with a number that no count or size may have.
  private static func isOver(_ value: ConfigurationValue) -> Bool {
    switch value {
    case .integer(let number): return number > most
    case .number(let number): return number > Double(most) && number == number.rounded()
    case .string(let text):
      if let size = try? SizeText.parse(text) { return size > most }
      return text.utf8.count > 15 && text.utf8.allSatisfy { (48...57).contains($0) }
    default: return false
    }
  }

  private static func bytes(_ value: ConfigurationValue, _ key: String) throws(NodeCoreError) -> Int {
    if case .string(let text) = value {
      if let size = try? SizeText.parse(text), size <= most { return size }
      throw wrong(key, isOver(value) ? "a size of at most 1024GiB" : "a size such as 65536 or \"64KiB\"", value)
    }
    return try whole(value, key)
  }

  private static func time(_ value: ConfigurationValue, _ key: String) throws(NodeCoreError) -> Duration {
    do {
      switch value {
      case .string(let text): return try DurationText.parse(text)
      case .integer(let seconds): return try DurationText.parse(seconds: Double(seconds))
      case .number(let seconds): return try DurationText.parse(seconds: seconds)
      default: break
      }
    } catch {}
    throw wrong(key, "a duration such as 3, \"250ms\" or \"2m\"", value)
  }

  private static func boolean(_ value: ConfigurationValue, _ key: String) throws(NodeCoreError) -> Bool {
    switch value {
    case .boolean(let flag): return flag
    case .string("true"): return true
    case .string("false"): return false
    default: throw wrong(key, "true or false", value)
    }
  }

  private static func text(_ value: ConfigurationValue, _ key: String) throws(NodeCoreError) -> String {
    switch value {
    case .string(let text): return text
    case .integer(let number): return "\(number)"
    default: throw wrong(key, "a text", value)
    }
  }

  private static func addresses(_ value: ConfigurationValue) throws(NodeCoreError) -> [PeerAddress] {
    let texts: [String]
    switch value {
    case .string("none"), .boolean(false): texts = []
    case .string(let text): texts = [text]
    case .list(let list): texts = list
    default: throw wrong("listen", "an address, a list of addresses or \"none\"", value)
    }
    if texts.count > 1, texts.contains("none") {
      throw NodeCoreError(
        code: .configuration, message: "listen: \"none\" means not to listen, so it cannot stand beside addresses")
    }
    var result: [PeerAddress] = []
    for text in texts {
      do { result.append(try PeerAddress(parsing: text)) } catch {
        throw NodeCoreError(code: .configuration, message: "listen: \(error)")
      }
    }
    return result
  }
}

extension Duration {
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
