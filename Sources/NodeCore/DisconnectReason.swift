/// Why a connection ended.
public struct DisconnectReason: Sendable, Hashable, CustomStringConvertible {
  /// The word scripts see as `reason.kind`.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// This side asked for it.
    case local
    /// The peer closed its side.
    case eof
    /// The peer reset the connection.
    case reset
    /// No message for `idle_timeout`.
    case idle
    /// The peer's bytes are no message.
    case decode
    /// The system could not read from the connection.
    case read
    /// The system could not write to it.
    case write
    /// The queue's head could not be handed to the kernel for `write_timeout`.
    case writeTimeout = "write_timeout"
    /// The script raised an error.
    case script
    /// The script ran over its time or memory.
    case budget
    /// The session hook returned.
    case sessionEnded = "session_ended"
    /// The node shut down.
    case shutdown
  }

  /// For programs and scripts.
  public var kind: Kind
  /// What happened, for people; nil where the kind says it all.
  public var message: String?

  public init(_ kind: Kind, message: String? = nil) {
    self.kind = kind
    self.message = message
  }

  /// The kind, and the message where there is one.
  public var description: String { message.map { "\(kind.rawValue): \($0)" } ?? kind.rawValue }
}

/// Which end of a connection a node is.
public enum ConnectionSide: String, Sendable, Hashable {
  /// It dialled.
  case initiator
  /// It accepted.
  case responder
}

/// A connection's number: 1, 2, 3… per node, never used again.
public struct ConnectionID: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Counted from 1.
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.rawValue < b.rawValue }
  public var description: String { "\(rawValue)" }
}
