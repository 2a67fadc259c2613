public import NodeCore
import NodeEngine
import NodeScripting

/// A metric of Moonpeer's own: declared once, and what the documentation is tested against.
public struct CataloguedMetric: Sendable {
  public let name: String
  public let kind: MetricKind
  public let help: String
  /// Beside `node`.
  public let labels: [String]
  /// The samples of one node, without the label `node`.
  let samples: @Sendable (ScriptedNodeSnapshot) -> [MetricFamily.Sample]

  init(
    _ name: String, _ kind: MetricKind, _ help: String, labels: [String] = [],
    _ samples: @escaping @Sendable (ScriptedNodeSnapshot) -> [MetricFamily.Sample]
  ) {
    self.name = MetricRules.ownPrefix + name
    self.kind = kind
    self.help = help
    self.labels = labels
    self.samples = samples
  }

  /// The samples of one node.
  func family(_ snapshot: ScriptedNodeSnapshot) -> MetricFamily {
    MetricFamily(name: name, kind: kind, help: help, samples: samples(snapshot))
  }
}

/// Every metric that a node has, in the order they are served.
public enum MetricCatalogue {
  public static let all = connections + traffic + heuristics + hooks + script

  private static let connections = [
    CataloguedMetric("connections", .gauge, "Live connections.") { number($0.node.counts.connected) },
    CataloguedMetric("connections_pending", .gauge, "Connections that are being set up, in both directions.") {
      number($0.node.counts.connecting)
    },
    CataloguedMetric(
      "connections_established_total", .counter, "Connections that came up, by the side the node had.", labels: ["side"]
    ) { snapshot in
      [ConnectionSide.initiator, .responder].map { labelled("side", $0.rawValue, snapshot.node.established[$0] ?? 0) }
    },
    CataloguedMetric("disconnects_total", .counter, "Connections that ended, by reason.", labels: ["reason"]) { snapshot in
      DisconnectReason.Kind.allCases.compactMap { kind in
        snapshot.node.disconnects[kind].map { labelled("reason", kind.rawValue, $0) }
      }
    },
    CataloguedMetric(
      "rejected_connections_total", .counter, "Inbound connections that were rejected, by reason.", labels: ["reason"]
    ) { snapshot in
      rejections.map { labelled("reason", String($0.dropFirst(rejected.count)), snapshot.node.heuristics[$0]) }
    },
  ]

  private static let traffic = [
    CataloguedMetric("messages_sent_total", .counter, "Messages queued to be sent.") { count($0.node.statistics.messagesSent) },
    CataloguedMetric("messages_received_total", .counter, "Messages handed to the hooks.") {
      count($0.node.statistics.messagesReceived)
    },
    CataloguedMetric("sent_bytes_total", .counter, "Bytes of the messages queued to be sent, without framing.") {
      count($0.node.statistics.bytesSent)
    },
    CataloguedMetric("received_bytes_total", .counter, "Bytes of the messages handed to the hooks, without framing.") {
      count($0.node.statistics.bytesReceived)
    },
    CataloguedMetric("inbound_queue_bytes", .gauge, "Bytes received and not handled yet, of all connections.") {
      number($0.node.inboundQueueBytes)
    },
    CataloguedMetric("outbound_queue_bytes", .gauge, "Bytes queued and not yet taken by the kernel, of all connections.") {
      number($0.node.outboundQueueBytes)
    },
  ]

  private static let rejected = "rejected_"
  private static let rejections = Heuristics.names.filter { $0.hasPrefix(rejected) }

  /// What the node noticed; which ones there are is declared in NodeCore.
  private static let heuristics = Heuristics.counters.filter { !$0.name.hasPrefix(rejected) }.map { counter in
    CataloguedMetric("\(counter.name)_total", .counter, sentence(counter.help)) { snapshot in
      count(snapshot.node.heuristics[counter.name])
    }
  }

  private static let hooks = [
    CataloguedMetric(
      "hook_duration_seconds", .histogram,
      "What hooks took, waits included. process_message: per message, of every 16th read, up to the first wait.",
      labels: ["hook"]
    ) { snapshot in
      snapshot.node.hooks.map { hook, seconds in
        MetricFamily.Sample([MetricFamily.Label("hook", hook.rawValue)], .histogram(seconds))
      }
    }
  ]

  private static let script = [
    CataloguedMetric("lua_memory_bytes", .gauge, "Memory that the node's Lua has in use, uncollected garbage included.") {
      number($0.luaMemory)
    },
    CataloguedMetric("lua_memory_limit_bytes", .gauge, "The most that one generation of the node's Lua may use: script_memory.") {
      number($0.luaMemoryLimit)
    },
    CataloguedMetric("lua_waiting", .gauge, "Hooks, tasks and calls that wait for something.") { number($0.waitingRuns) },
    CataloguedMetric("script_samples_dropped_total", .counter, "Values of the script's own metrics beyond 1000 series.") {
      count($0.node.droppedSamples)
    },
    CataloguedMetric("generation", .gauge, "Which generation of its code the node runs, from 1.") {
      number($0.node.generation)
    },
    CataloguedMetric(
      "generations", .gauge, "Generations of its code that there are: in force, on call, or with connections left."
    ) {
      number($0.generations)
    },
    CataloguedMetric("start_time_seconds", .gauge, "When the node was made, in seconds since 1970.") {
      [MetricFamily.Sample([], .number($0.node.statistics.createdAt))]
    },
  ]

  private static func count(_ value: UInt64) -> [MetricFamily.Sample] { [MetricFamily.Sample([], .count(value))] }
  private static func number(_ value: Int) -> [MetricFamily.Sample] { [MetricFamily.Sample([], .number(Double(value)))] }
  private static func labelled(_ label: String, _ value: String, _ count: UInt64) -> MetricFamily.Sample {
    MetricFamily.Sample([MetricFamily.Label(label, value)], .count(count))
  }

  private static func sentence(_ help: String) -> String {
    let isName = help.prefix { $0 != " " }.contains("_")
    return (isName ? help : help.prefix(1).uppercased() + help.dropFirst()) + "."
  }
}
