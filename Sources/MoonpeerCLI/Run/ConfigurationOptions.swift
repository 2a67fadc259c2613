import ArgumentParser
import NodeCore

/// Every configuration key as an option. What it means is declared in `NodeConfiguration.keys`; here is only its place on
/// the command line, and a test that none is missing.
struct ConfigurationOptions: ParsableArguments {
  typealias Setting = (key: String, value: ConfigurationValue)

  @Option(help: ArgumentHelp("the node's name in logs and metrics (default: the script's)", valueName: "text")) var name: String?
  @Option(help: help("listen", "; may be repeated")) var listen: [String] = []
  @Option(help: help("listener_backlog")) var listenerBacklog: String?
  @Option(help: help("max_listeners")) var maxListeners: String?
  @Flag(inversion: .prefixedNo, help: help("reuse_port")) var reusePort: Bool?
  @Option(help: help("max_connections")) var maxConnections: String?
  @Option(help: help("max_connections_per_ip")) var maxConnectionsPerIp: String?
  @Option(help: help("max_connections_per_subnet")) var maxConnectionsPerSubnet: String?
  @Option(help: help("max_connecting")) var maxConnecting: String?
  @Option(help: help("connection_timeout")) var connectionTimeout: String?
  @Option(help: help("handshake_timeout")) var handshakeTimeout: String?
  @Option(help: help("idle_timeout")) var idleTimeout: String?
  @Option(help: help("write_timeout")) var writeTimeout: String?
  @Option(help: help("on_disconnect_timeout")) var onDisconnectTimeout: String?
  @Option(help: help("on_shutdown_timeout")) var onShutdownTimeout: String?
  @Option(help: help("inbound_queue")) var inboundQueue: String?
  @Option(help: help("inbound_policy")) var inboundPolicy: String?
  @Option(help: help("outbound_high_water")) var outboundHighWater: String?
  @Option(help: help("outbound_low_water")) var outboundLowWater: String?
  @Option(help: help("max_read_buffer")) var maxReadBuffer: String?
  @Option(help: help("io_loops")) var ioLoops: String?
  @Option(help: help("script_memory")) var scriptMemory: String?
  @Option(help: help("script_time")) var scriptTime: String?
  @Option(help: help("max_calls")) var maxCalls: String?
  @Option(help: help("reload_timeout")) var reloadTimeout: String?
  @Option(help: help("probation")) var probation: String?
  @Option(help: help("probation_hooks")) var probationHooks: String?
  @Option(help: help("probation_failures")) var probationFailures: String?

  /// What was given, in the order of declaration.
  ///
  /// The options are read by their labels, so that each is named once.
  var settings: [Setting] {
    Mirror(reflecting: self).children.compactMap { child in
      guard let label = child.label else { return nil }
      let key = Self.key(ofLabel: label)
      switch child.value {
      case let option as Option<String?>: return option.wrappedValue.map { (key, .string($0)) }
      case let flag as Flag<Bool?>: return flag.wrappedValue.map { (key, .boolean($0)) }
      case let option as Option<[String]>:
        let values = option.wrappedValue
        return values.isEmpty ? nil : (key, values == ["none"] ? .string("none") : .list(values))
      default: return nil
      }
    }
  }

  /// The keys that have an option here.
  static var keys: [String] {
    Mirror(reflecting: ConfigurationOptions()).children.compactMap(\.label).map(key(ofLabel:))
  }

  /// What was given, made sure of as far as that is possible without the script's own `config`.
  ///
  /// - Throws: status `usage`, with the option's name.
  func checkedSettings() throws(CommandFailure) -> [Setting] {
    let settings = settings
    for (key, value) in settings {
      let option = NodeConfiguration.keys.first { $0.name == key }?.option ?? key
      do throws(NodeCoreError) {
        var scratch = NodeConfiguration()
        try scratch.set(key, to: value)
        let others = NodeConfiguration()
        // Two limits are compared with each other; that belongs to the whole, not to one option.
        if key == "outbound_high_water" { scratch.outboundLowWater = min(others.outboundLowWater, scratch.outboundHighWater) }
        if key == "outbound_low_water" { scratch.outboundHighWater = max(others.outboundHighWater, scratch.outboundLowWater) }
        _ = try scratch.validated()
      } catch {
        let prefix = key + ": "
        let message = error.message.hasPrefix(prefix) ? String(error.message.dropFirst(prefix.count)) : error.message
        throw CommandFailure(.usage, "\(option): \(message)")
      }
    }
    return settings
  }

  /// `_maxConnectionsPerIp`, as the property wrapper's storage is called, → `max_connections_per_ip`.
  private static func key(ofLabel label: String) -> String {
    label.drop { $0 == "_" }.reduce(into: "") { key, letter in
      if letter.isUppercase { key += "_" }
      key += letter.lowercased()
    }
  }
}

private func help(_ name: String, _ more: String = "") -> ArgumentHelp {
  guard let key = NodeConfiguration.keys.first(where: { $0.name == name }) else { return ArgumentHelp("\(name)") }
  let value: String =
    switch key.kind {
    case .duration: "duration"
    case .size: "size"
    case .count: "number"
    case .boolean: "boolean"
    case .text: "text"
    case .addresses: "address"
    case .choice(let names): names.joined(separator: "|")
    }
  let zero = key.zero == .none ? "; 0: no limit" : ""
  return ArgumentHelp("\(key.help)\(more)\(zero) (default: \(key.defaultText))", valueName: value)
}
