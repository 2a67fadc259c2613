import Glibc
import NIOCore
import NodeCore

/// The file of a listening Unix socket. Its number is not used again while the socket is open.
///
/// NIO removes whatever has the name when it closes a socket that it bound; binding here keeps another listener's file.
struct UnixSocketFile: Equatable {
  let device: UInt
  let inode: UInt

  init?(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    device = UInt(status.st_dev)
    inode = UInt(status.st_ino)
  }

  /// A socket bound to the path, in the place of one that nobody listens on any more.
  static func bind(_ path: String) throws(NodeError) -> Int32 {
    try removeStale(path)
    // Not inherited by programs the process starts.
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0, withName(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
      let error = IOError(errnoCode: errno, reason: "bind")
      if descriptor >= 0 { close(descriptor) }
      throw .system(error, "listen on", .unix(path))
    }
    return descriptor
  }

  /// A socket file that nobody listens on any more is in the way; one that is alive is in use.
  private static func removeStale(_ path: String) throws(NodeError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw NodeError(code: .addressInUse, message: "cannot listen on unix:\(path): a file of that name exists and is no socket")
    }
    // Not blocking: a listener whose queue is full would keep the loop waiting.
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(IOError(errnoCode: errno, reason: "socket"), "listen on", .unix(path)) }
    defer { Glibc.close(descriptor) }
    guard withName(path, { connect(descriptor, $0, $1) }) != 0, errno == ECONNREFUSED else {
      throw NodeError(code: .addressInUse, message: "cannot listen on unix:\(path): another process listens there")
    }
    unlink(path)
  }

  private static func withName(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    return withUnsafePointer(to: name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}
