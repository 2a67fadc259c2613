import Glibc

/// The file of a Unix socket.
enum SocketFile {
  enum State { case absent, dead, listening, other }

  /// Finds out by connecting to it; whoever listens there sees a client that leaves at once.
  static func state(of path: String) -> State {
    var status = stat()
    guard lstat(path, &status) == 0 else { return errno == ENOENT ? .absent : .other }
    guard status.st_mode & S_IFMT == S_IFSOCK else { return .other }
    // Not blocking: its queue may be full.
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return .other }
    defer { close(descriptor) }
    guard let isConnected = withName(path, { connect(descriptor, $0, $1) == 0 }) else { return .other }
    if isConnected || errno == EAGAIN { return .listening }
    return errno == ECONNREFUSED ? .dead : .other
  }

  /// A bound socket that only its owner can connect to, in the place of one that nobody listens on any more.
  ///
  /// - Throws: code `path` for a file of another kind, which is left alone; `addressInUse` where somebody listens.
  static func bind(_ path: String) throws(AdminError) -> Int32 {
    switch state(of: path) {
    case .absent: break
    case .dead: unlink(path)
    case .listening: throw AdminError(code: .addressInUse, message: "\(path): another process has its console there")
    case .other: throw AdminError(code: .path, message: "\(path) exists and is no socket of ours; it is left alone")
    }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system("cannot open a console", errno) }
    guard let isBound = withName(path, { Glibc.bind(descriptor, $0, $1) == 0 }) else {
      close(descriptor)
      throw AdminError(code: .path, message: "\(path) is longer than the system allows for a socket, \(longest) bytes")
    }
    guard isBound else {
      let number = errno
      close(descriptor)
      throw .system("cannot open a console at \(path)", number)
    }
    // Nobody can connect before it listens, which is later.
    guard chmod(path, 0o600) == 0 else {
      let number = errno
      close(descriptor)
      unlink(path)
      throw .system("cannot keep others away from \(path)", number)
    }
    return descriptor
  }

  /// What a path stands for, to tell later whether it is still the same.
  static func identity(of path: String) -> [UInt]? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    return [UInt(status.st_dev), UInt(status.st_ino)]
  }

  static let longest = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  /// nil: the path is too long.
  static func withName(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool) -> Bool? {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    guard !path.isEmpty, path.utf8.count <= longest else { return nil }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}
