/// Everything about a node that can be set. Made valid by ``validated()``.
public struct NodeConfiguration: Sendable, Equatable {
  /// What happens to messages while a hook is busy and `inboundQueue` of them wait.
  public enum InboundPolicy: String, Sendable, CaseIterable {
    /// Reading stops, so TCP pushes back.
    case backpressure
    /// Later ones are dropped, counted and logged.
    case drop
  }

  /// In every log line and metric; nil: a sequential number.
  public var name: String?
  /// Where the node listens; empty: it does not.
  public var listen: [PeerAddress] = [.ip(.loopback, port: 0)]
  /// Connections the kernel may hold for the listener; 1 to 65,535.
  public var listenerBacklog = 128
  /// Addresses it may listen at together; at least 1.
  public var maxListeners = 16
  /// Lets several live listeners share one port.
  public var reusePort = false
  /// Pending ones count too.
  public var maxConnections = 100
  /// Per canonical IP address; at least 1.
  public var maxConnectionsPerIP = 16
  /// Per /24 and /64; nil: no limit.
  public var maxConnectionsPerSubnet: Int?
  /// Set-ups in progress, both directions.
  public var maxConnecting = 100
  /// For the raw TCP connect.
  public var connectionTimeout: Duration = .seconds(1)
  /// For the handshake hook; more than zero.
  public var handshakeTimeout: Duration = .seconds(3)
  /// Without an inbound message; zero: none.
  public var idleTimeout: Duration = .seconds(60)
  /// For the head of the outbound queue to be taken by the kernel.
  public var writeTimeout: Duration = .seconds(10)
  /// For the `on_disconnect` hook; more than zero.
  public var onDisconnectTimeout: Duration = .seconds(3)
  /// For the `on_shutdown` hook; more than zero.
  public var onShutdownTimeout: Duration = .seconds(3)
  /// Messages that may wait while a hook is busy.
  public var inboundQueue = 64
  /// What happens to messages over ``inboundQueue``.
  public var inboundPolicy = InboundPolicy.backpressure
  /// Bytes; over it senders wait, over 8 × it `try_send` says `full`.
  public var outboundHighWater = 256 << 10
  /// Bytes; waiting senders go on below it.
  public var outboundLowWater = 64 << 10
  /// Bytes received and not yet handled; nil: the codec's `max` and one read.
  public var maxReadBuffer: Int?
  /// Threads beside the node's own that read and write its sockets, at most 128; 0: none. Needs sockets over epoll.
  public var ioLoops = 0
  /// Bytes per node; 0: no limit.
  public var scriptMemory = 64 << 20
  /// Of one uninterrupted run; zero: no limit.
  public var scriptTime: Duration = .seconds(1)
  /// Calls between scripts that may be under way: those that others ask of it, and as many that it asks of others.
  public var maxCalls = 100

  /// For running hooks to end before a reload is given up; more than zero.
  public var reloadTimeout: Duration = .seconds(5)
  /// How long the code of a reload is watched; zero: not at all.
  public var probation: Duration = .seconds(10)
  /// After so many hooks the watching ends, if that comes first.
  public var probationHooks = 100
  /// Failures in that time that are put up with; one more, and the old code comes back.
  public var probationFailures = 0

  /// The defaults.
  public init() {}

  /// The configuration with its clamps applied.
  ///
  /// - Throws: code `configuration`, with the key's name, for what makes no sense.
  public func validated() throws(NodeCoreError) -> NodeConfiguration {
    var result = self
    func require(_ condition: Bool, _ key: String, _ why: @autoclosure () -> String) throws(NodeCoreError) {
      guard condition else { throw NodeCoreError(code: .configuration, message: "\(key): \(why())") }
    }
    func requireNonzero(_ key: ConfigurationKey) throws(NodeCoreError) {
      try require(key.zero != .refused, key.name, "0 makes no sense here; leave it out for the default (\(key.defaultText))")
    }
    // Values set from Swift have not gone through `set`.
    for key in Self.numericKeys {
      switch key.value(of: self) {
      case .integer(let number)?:
        try require(number >= 0, key.name, "must not be negative, got \(number)")
        if number == 0 { try requireNonzero(key) }
      case .number(let seconds)?:
        try require(seconds >= 0, key.name, "must not be negative, got \(seconds) seconds")
        try require(seconds <= DurationText.longest, key.name, "is over a century (\(seconds) seconds)")
        if seconds == 0 { try requireNonzero(key) }
      default: break
      }
    }
    try require(outboundLowWater <= outboundHighWater, "outbound_low_water", "must not be above outbound_high_water")
    try require(listenerBacklog <= 65_535, "listener_backlog", "is at most 65535")
    try require(
      listen.count <= maxListeners, "listen", "\(listen.count) addresses are more than max_listeners (\(maxListeners)) allows")
    try require(ioLoops <= 128, "io_loops", "is at most 128")
    if let name {
      try require(!name.isEmpty && name.utf8.count <= 64, "name", "is 1 to 64 bytes long")
      try require(name.utf8.allSatisfy { $0 > 32 && $0 != 127 }, "name", "must not contain spaces or control characters")
    }
    result.maxConnecting = min(maxConnecting, maxConnections)
    return result
  }
}
