public import NodeCore

/// Which hooks there are; an absent one costs nothing.
public struct HookSet: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
  /// `handshake` is called, under `handshake_timeout`.
  public static let handshake = HookSet(rawValue: 1)
  /// Something runs when a connection is live.
  public static let onConnect = HookSet(rawValue: 2)
  /// `receive` is called when messages may be pulled.
  public static let messages = HookSet(rawValue: 4)
  /// Someone reads the connection in a conversation of its own; `receive` is not called.
  public static let session = HookSet(rawValue: 8)
  /// `disconnected` has something to do.
  public static let onDisconnect = HookSet(rawValue: 16)
  /// `shutDown` has something to do.
  public static let onShutdown = HookSet(rawValue: 32)

  /// Whether `receive` is called for connections that come up with these hooks.
  package var handsOutMessages: Bool { contains(.messages) && !contains(.session) }
}

/// The hooks whose time is bounded by the engine.
public enum HookName: String, Sendable { case handshake, onDisconnect, onShutdown }

/// What the engine asks of whoever holds a node's logic. Called on the node's loop only; completions are called there
/// too, once, at any time.
///
/// This is the whole seam: `SwiftHooks` implements it for the small protocols in this module, NodeScripting for Lua.
public protocol NodeHooks: AnyObject {
  /// Which of the hooks there are for connections that begin now.
  var declared: HookSet { get }
  /// Before the listener starts.
  func start(_ node: LocalNode, completion: @escaping (Result<Void, NodeError>) -> Void)
  /// Under `handshake_timeout`. Called only where `.handshake` is declared.
  func handshake(_ connection: Connection, completion: @escaping (Result<Void, NodeError>) -> Void)
  /// After the handshake.
  func framing(for connection: Connection) throws(NodeError) -> Framing
  /// The connection is registered. Messages are handed out after this returns.
  func connected(_ connection: Connection)
  /// Bytes are there: pull from `connection.inbound` until it gives none, or stop.
  func receive(_ connection: Connection)
  /// Messages are held and `inbound_policy` is `drop`, in a framing that only the hooks can cut: takes what has arrived,
  /// keeps up to `limit` messages for later; returns how many it dropped.
  func drain(_ connection: Connection, keeping limit: Int) -> Int
  /// Exactly once for every connection that was registered; under `on_disconnect_timeout`.
  func disconnected(_ connection: Connection, reason: DisconnectReason, completion: @escaping () -> Void)
  /// A bound has passed or the dial was called off: end the hook; its completion no longer counts.
  func cancel(_ hook: HookName, _ connection: Connection?, because error: NodeError)
  /// The last call about a connection, a rejected one included.
  func forgotten(_ connection: Connection)
  /// The node begins to shut down: what it has not begun it need not begin.
  func shutdownBegins()
  /// Before the connections are closed; under `on_shutdown_timeout`.
  func shutDown(completion: @escaping () -> Void)
  /// The node is gone.
  func stopped()
  /// Adds what ``receive(_:)`` touches for this connection; asked once, after its first message.
  func addFootprint(of connection: Connection, to footprint: inout Footprint)
}

extension NodeHooks {
  public func addFootprint(of connection: Connection, to footprint: inout Footprint) {}
}

extension NodeHooks {
  public func shutdownBegins() {}
}
