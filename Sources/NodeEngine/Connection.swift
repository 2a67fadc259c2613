import DequeModule
public import Logging
public import NodeCore

/// What a send came to.
public enum SendOutcome: Sendable, Equatable {
  case queued
  /// Nothing was queued: the queue is over its high-water mark, or this tick's share is used up. Try again after
  /// ``Connection/whenWritable(_:)``.
  case wait
  /// Over eight times the high-water mark; only from ``Connection/trySend(_:)``.
  case full
  case closed
  /// The framing refuses the message.
  case refused(String)
}

/// What a wait for bytes came to: there are more, or none will come any more.
public enum Readability: Sendable { case more, ended }

/// Calls a wait off.
public final class WaitToken {
  @exclusivity(unchecked) private var action: (() -> Void)?
  init(_ action: @escaping () -> Void) { self.action = action }
  /// Ends the wait without calling its handler; twice is harmless.
  public func cancel() {
    action?()
    action = nil
  }
}

/// One live connection, for code on the node's loop: the hooks. From outside, see ``Node``.
public final class Connection {
  enum Phase { case settingUp, live, disconnecting, gone }

  /// Its number at this node.
  public let id: ConnectionID
  /// The peer's address.
  public let address: PeerAddress
  /// This side's address.
  public let localAddress: PeerAddress
  /// Which end this node is.
  public let side: ConnectionSide
  /// A plain stream made with ``LocalNode/open(to:options:framing:completion:)``: no hooks.
  public let isStream: Bool
  /// Strong: the node lets go of a connection when it is over, so there is no cycle for longer than that.
  public let node: LocalNode
  /// What has been received and not yet handled.
  public let inbound = Inbound()
  /// What the hooks keep with it.
  @exclusivity(unchecked) public var owner: AnyObject? { didSet { hasFootprint = false } }
  /// Who the peer is, as the handshake found out.
  @exclusivity(unchecked) public var peer: String?

  let stream: any ByteStream
  /// The stream, where an I/O loop carries it: that takes what is to be written without a copy.
  let relayed: RelayedStream?
  @exclusivity(unchecked) var phase = Phase.settingUp { didSet { plainRoom = 0 } }
  @exclusivity(unchecked) var isStreamAlive = true { didSet { plainRoom = 0 } }

  // Reading
  @exclusivity(unchecked) var reader: ((Readability) -> Void)?
  @exclusivity(unchecked) var isHeld = false
  /// Whether ``pauseReading()`` is in force.
  @exclusivity(unchecked) public internal(set) var isReadingPaused = false
  @exclusivity(unchecked) var isPumping = false
  /// The rest of what has arrived waits for another turn; nothing is read meanwhile.
  @exclusivity(unchecked) package internal(set) var isBehind = false
  /// Messages are handed to the hooks, and not read by a conversation. Set when the connection comes up.
  @exclusivity(unchecked) package var dispatchesMessages = false

  /// Its stream knows what handling its bytes touches.
  @exclusivity(unchecked) var hasFootprint = false

  /// Nil where nobody captures.
  @exclusivity(unchecked) var tapped: TappedTraffic?

  // Writing. Touched with every message, on the loop only: the checks of exclusive access would cost more than the work.
  @exclusivity(unchecked) var outgoing = Bytes()
  @exclusivity(unchecked) var inFlight = 0
  @exclusivity(unchecked) var isFlushScheduled = false
  @exclusivity(unchecked) var sentInTick = 0
  @exclusivity(unchecked) var tick: UInt64 = 0
  @exclusivity(unchecked) var queuedTotal: UInt64 = 0
  /// See ``sendPlain(_:)``.
  @exclusivity(unchecked) var plainRoom = 0
  /// The `max` of the commonest framing, or -1: see ``Framing/plainMax``.
  @exclusivity(unchecked) var plainMax = -1
  /// The framing's share of ``readLimit``. Kept, for the framing itself is large to look at.
  @exclusivity(unchecked) private var framedReadLimit = 1 << 20 + Connection.oneRead
  /// The large buffer goes when nothing was queued between two looks.
  @exclusivity(unchecked) var isTrimScheduled = false
  @exclusivity(unchecked) var queuedAtTrim: UInt64 = 0
  @exclusivity(unchecked) var writtenTotal: UInt64 = 0
  @exclusivity(unchecked) var writers: Deque<Writer> = []
  @exclusivity(unchecked) var flushers: Deque<(id: UInt64, target: UInt64, run: (DisconnectReason?) -> Void)> = []
  @exclusivity(unchecked) var lastWaiter: UInt64 = 0
  @exclusivity(unchecked) var isWakingWriters = false
  /// The one that waited longest is asked to send now.
  @exclusivity(unchecked) var hasTurn = false
  @exclusivity(unchecked) var isWritingOut = false
  @exclusivity(unchecked) var wroteWhileWritingOut = false
  @exclusivity(unchecked) var messagesSent: UInt64 = 0
  @exclusivity(unchecked) var bytesSent: UInt64 = 0

  // Ending
  @exclusivity(unchecked) var reason: DisconnectReason?
  @exclusivity(unchecked) var endWaiters: [(Bool) -> Void] = []
  @exclusivity(unchecked) var timers: [any ScheduledTimer] = []
  @exclusivity(unchecked) var idleTimer: (any ScheduledTimer)?
  @exclusivity(unchecked) var writeTimer: (any ScheduledTimer)?
  /// The inbound progress that was last seen, and when.
  @exclusivity(unchecked) var lastProgress: UInt64 = 0
  @exclusivity(unchecked) var lastProgressAt: MonotonicTime
  /// What the write under way had left when it last moved, and when that was.
  @exclusivity(unchecked) var lastUnwritten = 0
  @exclusivity(unchecked) var lastWriteProgressAt: MonotonicTime
  @exclusivity(unchecked) var handshakeDone: ((Result<Void, NodeError>) -> Void)?
  let createdAt: Double

  init(id: ConnectionID, stream: any ByteStream, address: PeerAddress, side: ConnectionSide, isStream: Bool, node: LocalNode) {
    self.id = id
    self.stream = stream
    relayed = stream as? RelayedStream
    self.address = address
    localAddress = stream.localAddress
    self.side = side
    self.isStream = isStream
    self.node = node
    createdAt = node.scheduler.wallClock
    lastProgressAt = node.scheduler.now
    lastWriteProgressAt = lastProgressAt
  }

  /// How messages are cut; nil before a codec is chosen: then only raw reads and writes work.
  ///
  /// Check ``Framing/problem`` first: one that cannot cut is a mistake of the caller's.
  public var framing: Framing? {
    get { inbound.framing }
    set {
      if let problem = newValue?.problem { preconditionFailure(problem) }
      inbound.framing = newValue
      plainMax = newValue?.plainMax ?? -1
      framedReadLimit = (newValue?.max ?? 1 << 20) + Self.oneRead
      relayed?.cut(by: newValue, unused: inbound.count)
      plainRoom = 0
    }
  }

  /// Set up or live: not being closed.
  public var isOpen: Bool { phase == .live || phase == .settingUp }
  /// Live, or in its `on_disconnect`.
  public var isRegistered: Bool { phase == .live || phase == .disconnecting }
  /// Messages may be handed to hooks.
  package var takesMessages: Bool { isOpen && !isReadingPaused }
  package var phaseIsLive: Bool { phase == .live }
  /// The peer has closed its side: nothing more will come.
  package var hasEnded: Bool { inbound.isEnded }
  /// Whether somebody waits for bytes; a second reader is refused.
  public var hasReader: Bool { reader != nil }
  /// Between ``holdMessages()`` and ``releaseMessages()``.
  public var isHoldingMessages: Bool { isHeld }

  /// What a log line about it carries: its number and its peer.
  public var logMetadata: Logger.Metadata { ["conn": "\(id)", "peer": "\(address)"] }

  /// Messages and bytes so far.
  public var statistics: TrafficStatistics {
    var statistics = TrafficStatistics()
    statistics.messagesSent = messagesSent
    statistics.bytesSent = bytesSent
    statistics.messagesReceived = inbound.messagesReceived
    statistics.bytesReceived = inbound.bytesReceived
    statistics.createdAt = createdAt
    return statistics
  }

  /// How many received bytes may wait to be handled: `max_read_buffer`, or the framing's `max` and one read.
  public var readLimit: Int {
    node.configuration.maxReadBuffer ?? framedReadLimit
  }
  static let oneRead = 256 << 10

  /// Sets a socket option: `nodelay` or `keepalive` (true or false), `send_buffer` or `receive_buffer` (bytes).
  ///
  /// - Throws: code `configuration` for another name or a wrong value, `closed`, or `system` where it is refused.
  public func setOption(_ name: String, _ value: ConfigurationValue) throws(NodeError) {
    try stream.setOption(name, value)
  }
}
