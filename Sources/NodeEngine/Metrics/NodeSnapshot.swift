public import NodeCore

/// All that is counted of a node, as it was at one moment.
public struct NodeSnapshot: Sendable {
  /// The node's name.
  public var name: String
  /// Which generation of its code it runs, from 1.
  public var generation: Int
  /// Live connections, and set-ups in progress.
  public var counts: (connected: Int, connecting: Int)
  /// Connections that came up, by the side this node had.
  public var established: [ConnectionSide: UInt64]
  /// Connections that ended, by the reason's kind; kinds that never occurred are left out.
  public var disconnects: [DisconnectReason.Kind: UInt64]
  /// Of all the node's life.
  public var statistics: TrafficStatistics
  /// What it noticed.
  public var heuristics: Heuristics
  /// Bytes received and not handled yet, of all connections.
  public var inboundQueueBytes: Int
  /// Bytes queued and not yet taken by the kernel, of all connections.
  public var outboundQueueBytes: Int
  /// Seconds the hooks took; only those that ran since somebody first asked for a snapshot.
  public var hooks: [(hook: MeasuredHook, seconds: Histogram)]
  /// What its logic counts for itself.
  public var own: [MetricFamily]
  /// Values of ``own`` that were dropped because there were too many series.
  public var droppedSamples: UInt64
}

extension LocalNode {
  /// What is counted, now. Nothing is measured of hooks until somebody asks for the first time.
  public func snapshot() -> NodeSnapshot {
    let times = hookTimes ?? HookTimes()
    hookTimes = times
    return NodeSnapshot(
      name: name, generation: generation, counts: counts, established: established, disconnects: disconnects,
      statistics: statistics, heuristics: heuristics,
      inboundQueueBytes: live.values.reduce(0) { $0 + $1.inbound.count },
      outboundQueueBytes: live.values.reduce(0) { $0 + $1.queued }, hooks: times.seen, own: metrics.families,
      droppedSamples: metrics.dropped)
  }
}

extension Node {
  /// All that is counted of the node, as it is now.
  ///
  /// Hooks are timed from the first call on: take one before ``start()`` to have them all.
  public func snapshot() -> NodeSnapshot { local.snapshot() }

  /// As ``snapshot()``, for who is on the node's loop already.
  package nonisolated func snapshotOnLoop() -> NodeSnapshot { bound.value.snapshot() }
}
