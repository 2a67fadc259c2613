import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// The console of one process: a Unix socket that only its owner can talk to. It lives on a thread of its own, so that no
/// node waits for it.
public final class ConsoleServer: Sendable {
  /// Where it is.
  public let path: String
  /// One thread for all consoles of the process. Never ended: the answer to a question of a client that has gone may come late.
  private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let listener: any Channel
  private let clients: ConsoleClients
  private let identity: [UInt]?

  /// Opens it in the user's folder, and removes what dead processes left there.
  public static func start(_ host: ConsoleHost, in folder: ConsoleFolder = .standard) async throws(AdminError) -> ConsoleServer {
    try await start(host, in: folder, admitting: \.areWelcome)
  }

  static func start(
    _ host: ConsoleHost, in folder: ConsoleFolder, admitting: @escaping @Sendable (PeerCredentials) -> Bool
  ) async throws(AdminError) -> ConsoleServer {
    try folder.prepare()
    folder.removeStale()
    return try await open(host, folder.socket(of: getpid()), admitting)
  }

  /// Opens it at a path; a socket that nobody listens on any more is replaced.
  ///
  /// - Throws: code `path`, `address_in_use` or `system`; `permissions` where others can write in the folder, unless it is
  ///   sticky as `/tmp` is. No other file is ever touched.
  public static func start(_ host: ConsoleHost, at path: String) async throws(AdminError) -> ConsoleServer {
    if let problem = ConsoleFolder.problem(withFolderOf: path) { throw AdminError(code: .permissions, message: problem) }
    return try await open(host, path, \.areWelcome)
  }

  private static func open(
    _ host: ConsoleHost, _ path: String, _ admits: @escaping @Sendable (PeerCredentials) -> Bool
  ) async throws(AdminError) -> ConsoleServer {
    let descriptor = try SocketFile.bind(path)
    let identity = SocketFile.identity(of: path)
    let clients = ConsoleClients()
    do {
      let listener = try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 16)
        .childChannelInitializer { channel in
          PeerCredentials.of(channel).flatMapThrowing { peer in
            // The folder and the file keep others away; where those were changed, this does.
            guard admits(peer) else { throw AdminError(code: .permissions, message: "not the owner") }
            try channel.pipeline.syncOperations.addHandler(ConsoleClient(host, clients))
          }
        }
        .withBoundSocket(descriptor).get()
      return ConsoleServer(path: path, listener: listener, clients: clients, identity: identity)
    } catch {
      unlink(path)
      throw AdminError(code: .system, message: "cannot open a console at \(path): \(error)")
    }
  }

  private init(path: String, listener: any Channel, clients: ConsoleClients, identity: [UInt]?) {
    self.path = path
    self.listener = listener
    self.clients = clients
    self.identity = identity
  }

  /// Clients that are connected.
  public var clientCount: Int { clients.count }

  /// Cuts all clients and removes the socket, if it is still the same.
  public func close() async {
    if SocketFile.identity(of: path) == identity { unlink(path) }
    try? await listener.close()
    await clients.closeAll()
  }
}

/// Who is connected, within the bound.
final class ConsoleClients: Sendable {
  private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

  var count: Int { channels.withLock { $0.count } }

  /// false: there are too many.
  func insert(_ channel: any Channel) -> Bool {
    channels.withLock { channels in
      guard channels.count < ConsoleProtocol.mostClients else { return false }
      channels[ObjectIdentifier(channel)] = channel
      return true
    }
  }

  func remove(_ channel: any Channel) { channels.withLock { $0[ObjectIdentifier(channel)] = nil } }

  func closeAll() async {
    for channel in channels.withLock({ Array($0.values) }) { try? await channel.close() }
  }
}
