import Glibc
import NIOCore

/// What the kernel says of the process at the other end; the layout is that of `struct ucred` (unix(7)).
package struct PeerCredentials: Sendable {
  package var process: Int32 = 0
  package var user: UInt32 = 0
  var group: UInt32 = 0

  /// This process' own user, or root, who can do everything anyway.
  package var areOwners: Bool { user == geteuid() || user == 0 }

  /// Of a console's client: its owner, in another process. From this one it can only be a node that a script, or through it a
  /// peer, has led here.
  var areWelcome: Bool { areOwners && process != getpid() }

  static func of(_ channel: any Channel) -> EventLoopFuture<PeerCredentials> {
    guard let options = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeFailedFuture(AdminError(code: .permissions, message: "no socket"))
    }
    return options.unsafeGetSocketOption(level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
  }

  /// Of a connected socket: who listened, or who dialled; nil where the system does not say.
  package init?(of descriptor: Int32) {
    self.init()
    var length = socklen_t(MemoryLayout<PeerCredentials>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &self, &length) == 0 else { return nil }
  }

  init(process: Int32 = 0, user: UInt32 = 0, group: UInt32 = 0) {
    self.process = process
    self.user = user
    self.group = group
  }
}
