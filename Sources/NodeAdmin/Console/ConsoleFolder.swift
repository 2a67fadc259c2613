import Glibc

/// The folder with one socket per process that can be talked to: `moonpeer/` in `XDG_RUNTIME_DIR`, else
/// `/tmp/moonpeer-UID`. Its owner alone can look into it.
public struct ConsoleFolder: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// The user's own.
  public static var standard: ConsoleFolder {
    let runtime = getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } ?? ""
    return ConsoleFolder(path: runtime.hasPrefix("/") ? "\(runtime)/moonpeer" : "/tmp/moonpeer-\(geteuid())")
  }

  /// Where a process has its socket.
  public func socket(of process: Int32) -> String { "\(path)/\(process).sock" }

  /// Makes the folder where there is none.
  ///
  /// - Throws: code `permissions` where it is somebody else's or others could get in; it is left as it is.
  func prepare() throws(AdminError) {
    if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("cannot make the folder \(path)", errno) }
    if let problem { throw AdminError(code: .permissions, message: problem) }
  }

  /// Why the folder cannot be trusted; nil: it can.
  private var problem: String? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return "\(path): \(String(cString: strerror(errno)))" }
    // A link could lead anywhere.
    guard status.st_mode & S_IFMT == S_IFDIR else { return "\(path) is no folder" }
    guard status.st_uid == geteuid() else { return "the folder \(path) belongs to user \(status.st_uid)" }
    guard status.st_mode & 0o077 == 0 else { return "others can get into the folder \(path); chmod 700 it" }
    return nil
  }

  /// Why a socket that was asked for by its path cannot be opened there; nil: it can. Others may come into the folder, since
  /// the socket's own mode keeps them out; but nobody else may put a socket of theirs in its place.
  static func problem(withFolderOf path: String) -> String? {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    var status = stat()
    guard stat(folder, &status) == 0 else { return "the folder \(folder): \(String(cString: strerror(errno)))" }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      return "the folder \(folder) belongs to user \(status.st_uid), who could put another socket in the console's place"
    }
    // In a sticky folder a file is its owner's, whoever else can write there.
    guard status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
      return "others can write in the folder \(folder), and put another socket in the console's place; chmod go-w it"
    }
    return nil
  }

  /// The processes that can be talked to, by number. Empty where there is no folder, or none that can be trusted.
  public func hosts() -> [(process: Int32, path: String)] {
    guard problem == nil else { return [] }
    return processes().compactMap { process in
      let path = socket(of: process)
      guard case .listening = SocketFile.state(of: path) else { return nil }
      return (process, path)
    }
  }

  /// Removes what dead processes left behind.
  func removeStale() {
    for process in processes() where kill(process, 0) != 0 && errno == ESRCH {
      let path = socket(of: process)
      // The process may live where its number is not seen from here, in a container say.
      if case .dead = SocketFile.state(of: path) { unlink(path) }
    }
  }

  private func processes() -> [Int32] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard name.hasSuffix(".sock"), let process = Int32(name.dropLast(5)), process > 0 else { continue }
      found.append(process)
    }
    return found.sorted()
  }
}
