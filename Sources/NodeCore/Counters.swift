/// Messages and bytes, of a connection or of a node in all its life.
public struct TrafficStatistics: Sendable, Equatable {
  /// Messages queued to be sent.
  public var messagesSent: UInt64 = 0
  /// Payload bytes, without what the framing adds.
  public var bytesSent: UInt64 = 0
  /// Messages handed to the hooks.
  public var messagesReceived: UInt64 = 0
  /// Their bytes, without what the framing adds.
  public var bytesReceived: UInt64 = 0
  /// When the connection or node came up, in seconds since 1970.
  public var createdAt: Double = 0

  public init() {}

  package static func += (a: inout TrafficStatistics, b: TrafficStatistics) {
    a.messagesSent += b.messagesSent
    a.bytesSent += b.bytesSent
    a.messagesReceived += b.messagesReceived
    a.bytesReceived += b.bytesReceived
  }
}

/// What a node noticed: counters that only grow.
public struct Heuristics: Sendable, Equatable {
  /// Outbound dials refused because a limit or the budget of set-ups was used up.
  public var dialsRefused: UInt64 = 0
  /// Inbound connections over `max_connections`.
  public var rejectedMaxConnections: UInt64 = 0
  /// Inbound connections over `max_connections_per_ip`.
  public var rejectedPerIP: UInt64 = 0
  /// Inbound connections over `max_connections_per_subnet`.
  public var rejectedPerSubnet: UInt64 = 0
  /// Inbound connections from an address that has one already.
  public var rejectedDuplicate: UInt64 = 0
  /// Inbound connections that came while the node was shutting down.
  public var rejectedShutdown: UInt64 = 0
  /// Errors of a listening socket, such as no descriptors left.
  public var acceptErrors: UInt64 = 0
  /// Handshakes that failed, on either side.
  public var handshakeFailures: UInt64 = 0
  /// Handshakes that ran over `handshake_timeout`, or over a quarter of it while others waited for their place.
  public var handshakeTimeouts: UInt64 = 0
  /// Connections closed after `idle_timeout` without a message.
  public var idleTimeouts: UInt64 = 0
  /// Connections closed because the peer did not read for `write_timeout`.
  public var writeTimeouts: UInt64 = 0
  /// Connections closed because their bytes were no message.
  public var decodeErrors: UInt64 = 0
  /// Messages dropped by the inbound policy `drop`.
  public var droppedMessages: UInt64 = 0
  /// `on_disconnect` and `on_shutdown` hooks that ran over their bound.
  public var hookTimeouts: UInt64 = 0
  /// Errors a script raised and nobody caught.
  public var scriptErrors: UInt64 = 0
  /// Runs ended because they were over `script_time` or `script_memory`.
  public var budgetKills: UInt64 = 0
  /// Reloads that took effect.
  public var reloads: UInt64 = 0
  /// Reloads that changed nothing: refused, or given up before they took effect.
  public var failedReloads: UInt64 = 0
  /// Reloads that took effect and were rolled back.
  public var rolledBack: UInt64 = 0

  public init() {}

  /// Every counter: its name in Lua, in metrics and in docs; what it counts; where it is.
  public static var counters: [(name: String, help: String, path: any WritableKeyPath<Heuristics, UInt64> & Sendable)] {
    [
      ("dials_refused", "outbound dials refused because the connecting budget or a limit was used up", \.dialsRefused),
      ("rejected_max_connections", "inbound connections rejected by max_connections", \.rejectedMaxConnections),
      ("rejected_per_ip", "inbound connections rejected by max_connections_per_ip", \.rejectedPerIP),
      ("rejected_per_subnet", "inbound connections rejected by max_connections_per_subnet", \.rejectedPerSubnet),
      ("rejected_duplicate", "inbound connections rejected because their address is still taken", \.rejectedDuplicate),
      ("rejected_shutdown", "inbound connections rejected because the node was shutting down", \.rejectedShutdown),
      ("accept_errors", "errors of the listening socket (no descriptors left, say)", \.acceptErrors),
      ("handshake_failures", "handshakes that failed, on either side", \.handshakeFailures),
      (
        "handshake_timeouts", "handshakes that ran over handshake_timeout, or over a quarter of it while others waited",
        \.handshakeTimeouts
      ),
      ("idle_timeouts", "connections closed after idle_timeout without a message", \.idleTimeouts),
      ("write_timeouts", "connections closed because the peer did not read for write_timeout", \.writeTimeouts),
      ("decode_errors", "connections closed because their bytes were no message", \.decodeErrors),
      ("dropped_messages", "messages dropped by inbound_policy \"drop\"", \.droppedMessages),
      ("hook_timeouts", "on_disconnect or on_shutdown hooks that ran over their bound", \.hookTimeouts),
      ("script_errors", "errors raised by the script and not caught", \.scriptErrors),
      ("budget_kills", "runs ended for script_time or script_memory", \.budgetKills),
      ("reloads", "reloads that took effect", \.reloads),
      ("failed_reloads", "reloads that were given up before they took effect", \.failedReloads),
      ("rolled_back", "reloads that took effect and were rolled back", \.rolledBack),
    ]
  }

  /// The names of ``counters``, in their order.
  public static var names: [String] { counters.map(\.name) }

  /// A counter by its name; 0 for a name there is none of.
  public subscript(name: String) -> UInt64 {
    Self.counters.first { $0.name == name }.map { self[keyPath: $0.path] } ?? 0
  }
}
