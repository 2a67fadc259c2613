import Glibc

/// A script's text and where it came from.
public struct ScriptSource: Sendable {
  /// Shown in messages and tracebacks; its folder is where `require` looks first.
  public var path: String
  /// The bytes as they are in the file.
  public var text: [UInt8]

  /// A script that has been read already.
  public init(path: String, text: [UInt8]) {
    self.path = path
    self.text = text
  }

  /// A script given as text; `name` stands where a path would.
  public init(name: String, text: String) {
    self.init(path: name, text: Array(text.utf8))
  }

  /// The largest script that is read, in bytes: a bound, so that a wrong path (a device, a log) is refused.
  public static let maximumSize = 16 << 20

  /// Reads a script from disk.
  ///
  /// - Throws: ``ScriptError`` with code `file` that names the path and the system's reason.
  public static func file(_ path: String) throws(ScriptError) -> ScriptSource {
    ScriptSource(path: path, text: try readFile(path))
  }

  /// The folder the script lies in; `.` for a bare name.
  public var directory: String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static let noFile = "it is a pipe, a socket or a device; a script is read from a regular file"

  /// The one place where Lua files are read: never waits for anybody, and takes regular files alone.
  static func readFile(_ path: String) throws(ScriptError) -> [UInt8] {
    func failure(_ reason: String) -> ScriptError {
      ScriptError(code: .file, message: "cannot read the script \"\(path)\": \(reason)")
    }
    // To open a pipe waits for its writer, for ever if need be, and the node's loop with it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    // A socket cannot be opened at all.
    guard descriptor >= 0 else { throw failure(errno == ENXIO ? noFile : String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(String(cString: strerror(errno))) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw failure("it is a folder; name the .lua file in it")
    default: throw failure(noFile)
    }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw failure(String(cString: strerror(errno))) }
      if count == 0 { return text }
      text.append(contentsOf: chunk[..<count])
      guard text.count <= maximumSize else { throw failure("it is larger than \(maximumSize >> 20) MiB") }
    }
  }
}
