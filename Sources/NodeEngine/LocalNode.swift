import DequeModule
public import Logging
public import NodeCore

/// A node on its own loop: what hooks work with, synchronously. From outside, see ``Node``.
///
/// Every method is called on the node's loop, and every completion too.
public final class LocalNode {
  enum Phase { case created, starting, running, shuttingDown, stopped }

  // What every read touches comes first, on as few cache lines as it takes (``Footprint``). Touched on the loop only, and never
  // while lent out: the checks of exclusive access would cost more than the work.

  /// Time and order on its loop.
  public let scheduler: any Scheduler
  @exclusivity(unchecked) var hooks: (any NodeHooks)!
  /// Nil until somebody asks for a ``snapshot()``: measuring costs a look at the clock.
  @exclusivity(unchecked) var hookTimes: HookTimes?
  @exclusivity(unchecked) var tick: UInt64 = 0
  /// As validated: with its clamps applied.
  @exclusivity(unchecked) public internal(set) var configuration: NodeConfiguration

  /// The configured name, or `node-` and the node's number.
  public let name: String
  /// A number of its own within the process.
  public let id: UInt64
  /// Carries the node's name and the generation of its code.
  public private(set) var logger: Logger
  /// Which generation of its code the node runs, from 1. Set in one place: where a reload takes effect.
  public package(set) var generation = 1 {
    didSet { logger = logger(ofGeneration: generation) }
  }
  /// Counters; hooks add to those that are theirs.
  @exclusivity(unchecked) public var heuristics = Heuristics()
  /// Where the node listens, as bound.
  public var addresses: [PeerAddress] { listeners.map(\.address) }
  /// The first of ``addresses``; nil where it does not listen.
  public var address: PeerAddress? { listeners.first?.address }

  /// What the node's logic counts for itself; found again by name, whatever becomes of the code.
  public private(set) lazy var metrics = MetricRegistry()
  /// What would be sent may be for nothing yet: see ``withoutSending(_:)``.
  @exclusivity(unchecked) package internal(set) var refusesSending = false
  var established: [ConnectionSide: UInt64] = [:]
  var disconnects: [DisconnectReason.Kind: UInt64] = [:]

  let transport: any Transport
  let tap: (any TrafficTap)?
  /// The shell around this, for hooks that are `async`.
  weak var actor: Node?
  /// A started node lives until it is shut down, whoever lets go of it: its sockets and timers point here.
  @exclusivity(unchecked) private var whileRunning: Node?
  var phase = Phase.created {
    didSet {
      whileRunning = phase == .created || phase == .stopped ? nil : actor
      guard phase == .stopped else { return }
      stopTrimming()
      crowdTimer?.cancel()
      crowdTimer = nil
    }
  }
  @exclusivity(unchecked) var admission: Admission
  @exclusivity(unchecked) var listeners: [any Listener] = []
  /// Asked for and not there yet: a name is looked up, a socket made.
  @exclusivity(unchecked) var listenersToCome = 0
  /// By id, so that they can be listed in the order they came up.
  @exclusivity(unchecked) var live: [ConnectionID: Connection] = [:] { didSet { ordered = nil } }
  @exclusivity(unchecked) var byAddress: [PeerAddress: Connection] = [:]
  @exclusivity(unchecked) var settingUp: [ConnectionID: Connection] = [:]
  @exclusivity(unchecked) var dials: [UInt64: DialToken] = [:]
  /// Accepted connections that are not set up yet because their sockets are not.
  @exclusivity(unchecked) var entering = 0
  /// Runs while the budget of set-ups is used up.
  @exclusivity(unchecked) var crowdTimer: (any ScheduledTimer)?
  @exclusivity(unchecked) var lastID: UInt64 = 0
  @exclusivity(unchecked) var ended = TrafficStatistics()
  @exclusivity(unchecked) var shutdownWaiters: [() -> Void] = []
  @exclusivity(unchecked) var isClosing = false
  @exclusivity(unchecked) var isPortFree = false
  @exclusivity(unchecked) private var ordered: [Connection]?
  @exclusivity(unchecked) private var toFlush: [Connection] = []
  /// An empty array whose storage the next tick uses.
  @exclusivity(unchecked) private var spareToFlush: [Connection] = []
  @exclusivity(unchecked) var toTrim: [Connection] = []
  @exclusivity(unchecked) var trimTimer: (any ScheduledTimer)?
  @exclusivity(unchecked) private var droppedSinceLog = 0
  @exclusivity(unchecked) private var lastDropLog: MonotonicTime?
  @exclusivity(unchecked) var lastAcceptErrorLog: MonotonicTime?
  @exclusivity(unchecked) var lastRejectionLog: MonotonicTime?
  private let createdAt: Double

  init(name: String, id: UInt64, configuration: NodeConfiguration, environment: NodeEnvironment) throws(NodeError) {
    self.name = name
    self.id = id
    self.configuration = configuration
    scheduler = environment.scheduler
    let loops = configuration.ioLoops
    transport = loops > 0 ? try environment.transport.carried(byIOLoops: loops) : environment.transport
    tap = environment.tap
    var logger = environment.logger
    logger[metadataKey: "node"] = "\(name)"
    logger[metadataKey: "generation"] = "1"
    self.logger = logger
    createdAt = environment.scheduler.wallClock
    admission = Admission(
      limits: Admission.Limits(
        connections: configuration.maxConnections, perIP: configuration.maxConnectionsPerIP,
        perSubnet: configuration.maxConnectionsPerSubnet, connecting: configuration.maxConnecting))
  }

  /// The node's logger for what a generation of its code says.
  package func logger(ofGeneration number: Int) -> Logger {
    var logger = logger
    logger[metadataKey: "generation"] = "\(number)"
    return logger
  }

  func assertOnLoop() {
    #if DEBUG
      scheduler.executor.checkIsolated()
    #endif
  }

  // What there is

  /// The live connections in the order they came up.
  public var connections: [Connection] { registered.filter { $0.phase == .live } }

  /// Those in their `on_disconnect` too. Kept while nothing changes: a node that passes each message on asks with each.
  package var registered: [Connection] {
    if let ordered { return ordered }
    let made = live.values.sorted { $0.id < $1.id }
    ordered = made
    return made
  }

  /// The live connection of that number, or nil.
  public func connection(id: ConnectionID) -> Connection? { live[id] }
  /// The live connection with that peer's address, or nil.
  public func connection(at address: PeerAddress) -> Connection? { byAddress[address] }

  /// Live connections, and set-ups in progress.
  public var counts: (connected: Int, connecting: Int) { (admission.connected, admission.connecting) }

  /// All connections' traffic, the ended ones' included.
  public var statistics: TrafficStatistics {
    var total = ended
    for connection in live.values { total += connection.statistics }
    for connection in settingUp.values { total += connection.statistics }
    total.createdAt = createdAt
    return total
  }

  // One write at the end of the tick

  func flushLater(_ connection: Connection) {
    toFlush.append(connection)
    guard toFlush.count == 1 else { return }
    scheduler.defer { [self] in
      tick &+= 1
      var connections = spareToFlush
      spareToFlush = []
      swap(&connections, &toFlush)
      if connections.count == 1 {
        // It has nobody to share with.
        connections[0].streamMayWrite()
      } else {
        for connection in connections { connection.flushInTurn() }
        connections[0].stream.giveTurns()
      }
      connections.removeAll(keepingCapacity: connections.count < 1024)
      spareToFlush = connections
    }
  }

  func noteDropped(_ count: Int, _ connection: Connection) {
    heuristics.droppedMessages += UInt64(count)
    droppedSinceLog += count
    guard isLogDue(&lastDropLog) else { return }
    logger.warning(
      "dropped \(droppedSinceLog) messages: the message hook is busy and inbound_queue is full",
      metadata: connection.logMetadata)
    droppedSinceLog = 0
  }

  /// For what peers can bring about: once a second.
  func isLogDue(_ last: inout MonotonicTime?) -> Bool {
    let now = scheduler.now
    if let last, now - last < .seconds(1) { return false }
    last = now
    return true
  }

  func nextID() -> ConnectionID {
    lastID += 1
    return ConnectionID(rawValue: lastID)
  }

  /// Room for accepts changes with every reservation.
  func updateAcceptRoom() {
    // Asked anew for each: one that lets a connection in comes back here and leaves less for the next.
    for listener in listeners { listener.setRoom(acceptRoom) }
    noteCrowding()
  }

  private var acceptRoom: Int {
    guard phase == .running || phase == .starting else { return 0 }
    return max(0, admission.limits.connecting - admission.connecting - entering)
  }
}
