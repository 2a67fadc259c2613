public import NodeCore

/// Sees what the connections of nodes exchange, as plaintext: for captures.
///
/// Set it in ``NodeEnvironment/tap``; without one a read and a write cost one look each. Called on the nodes' loops, of
/// which there are several.
public protocol TrafficTap: AnyObject, Sendable {
  /// A connection has a stream, and nothing has been exchanged yet. Nil: it is not looked at.
  func tap(_ connection: TappedConnection) -> (any ConnectionTap)?
}

/// What a tap is told of a connection.
public struct TappedConnection: Sendable, Hashable {
  public var node: String
  /// The node's number in its process.
  public var nodeID: UInt64
  public var id: ConnectionID
  public var side: ConnectionSide
  /// This side's address.
  public var local: PeerAddress
  /// The peer's address.
  public var peer: PeerAddress

  public init(
    node: String, nodeID: UInt64, id: ConnectionID, side: ConnectionSide, local: PeerAddress, peer: PeerAddress
  ) {
    self.node = node
    self.nodeID = nodeID
    self.id = id
    self.side = side
    self.local = local
    self.peer = peer
  }
}

/// One connection's part of a ``TrafficTap``; called on the node's loop.
public protocol ConnectionTap: AnyObject {
  /// Bytes as they came, before anybody handled them; valid during the call.
  func received(_ bytes: UnsafeRawBufferPointer, _ messages: TappedMessages)
  /// Bytes as they go to the stream; valid during the call.
  func sent(_ bytes: UnsafeRawBufferPointer, _ messages: TappedMessages)
  /// Nothing more comes.
  func closed()
}

/// Which messages of a connection, counted from 1 in each direction, some bytes have the end of.
public enum TappedMessages: Sendable, Equatable {
  /// Bytes of a handshake, which may be messages or not.
  case handshake
  /// Bytes that went past the framing, or of a stream without one.
  case raw
  case whole(ClosedRange<UInt64>)
  /// No message ends here, as far as the engine can tell; the number of the next that will.
  case part(of: UInt64)
}

/// Counts messages for a tap: the connection's own count is of those that were handled.
final class TappedTraffic {
  private let tap: any ConnectionTap
  private var arrived: UInt64 = 0
  private var left: UInt64 = 0
  /// What the handshake wrote last leaves at the end of the tick.
  private var hasLastWords = false

  init(_ tap: any ConnectionTap) {
    self.tap = tap
  }

  /// Looks at a read whose bytes are in the connection's `inbound` already.
  func received(_ bytes: UnsafeRawBufferPointer, _ connection: Connection) {
    let inbound = connection.inbound
    guard connection.phase != .settingUp else {
      return tap.received(bytes, .handshake)
    }
    guard connection.framing != nil else { return tap.received(bytes, .raw) }
    // Only the hooks can cut an external framing: what they have not taken cannot be counted yet.
    let waiting = inbound.waitingMessages(limit: .max)
    let now = max(arrived, inbound.messagesReceived + UInt64(waiting ?? 0))
    let messages: TappedMessages = waiting != nil && now > arrived ? .whole(arrived + 1...now) : .part(of: now + 1)
    arrived = now
    tap.received(bytes, messages)
  }

  func sent(_ bytes: UnsafeRawBufferPointer, _ connection: Connection) {
    let now = connection.messagesSent
    let isHandshake = connection.phase == .settingUp || hasLastWords
    defer {
      left = now
      hasLastWords = false
    }
    tap.sent(bytes, now > left ? .whole(left + 1...now) : isHandshake ? .handshake : .raw)
  }

  /// The handshake is over: messages that it took are behind us.
  func isLive(_ connection: Connection) {
    arrived = connection.inbound.messagesReceived
    hasLastWords = connection.outgoing.count > 0
  }

  func closed() { tap.closed() }
}

extension Connection {
  /// Nothing more comes of it; the tap, if there is one, hears it once.
  func endTap() {
    tapped?.closed()
    tapped = nil
  }
}
