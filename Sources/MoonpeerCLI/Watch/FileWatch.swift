import Glibc
import Synchronization

/// Says when Lua files in certain folders have changed, by inotify(7).
///
/// Folders are watched, not files: editors write a new file and put it in the old one's place. What changes within a short
/// time is told at once. inotify(7) stays with the folder it was given; that another one has its path now, because a link leads
/// elsewhere, is found by looking.
final class FileWatch: Sendable {
  /// After the last change it is quiet for so long before it is told: a save is several changes.
  private static let debounce: Int32 = 100
  /// It is told after so long at the latest, however busy the folder is.
  private static let patience = Duration.seconds(1)

  private let descriptor: Int32
  private let stopPipe: [Int32]
  /// By their paths.
  private let folders = Mutex<[String: Folder]>([:])
  /// Beside all that ends in `.lua`; others, such as a log that grows in there, are nobody's concern.
  private let keys = Mutex<Set<String>>([])
  private let onChange: @Sendable (Set<String>) -> Void
  private let onLoss: @Sendable (String) -> Void

  private struct Folder {
    /// inotify's number for it; -1: it is gone.
    var watch: Int32
    /// What has the path.
    var identity: [UInt]
    /// That nothing has the path has been told.
    var isLost = false
  }
  /// How often it is looked whether other folders have the paths.
  private static let interval: Int32 = 1000

  /// - Parameters:
  ///   - onChange: gets the paths, on a thread of the watch's own; a folder that is gone stands for all in it.
  ///   - onLoss: gets a folder when it is found that nothing has its path any more, as with a link that leads nowhere.
  init(onChange: @escaping @Sendable (Set<String>) -> Void, onLoss: @escaping @Sendable (String) -> Void) throws(CommandFailure) {
    self.onChange = onChange
    self.onLoss = onLoss
    descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
    guard descriptor >= 0 else {
      throw CommandFailure(.failed, "--watch: cannot watch files: \(String(cString: strerror(errno)))")
    }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      close(descriptor)
      throw CommandFailure(.failed, "--watch: cannot watch files: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    stopPipe = ends
  }

  /// Looks at the folders of these files too; those that are watched already cost nothing.
  ///
  /// - Returns: the folders that cannot be watched, each with the system's reason.
  func watch(_ files: [String]) -> [String] {
    var problems: [String] = []
    keys.withLock { $0.formUnion(files.map(Self.key(of:))) }
    for folder in Set(files.map(Self.folder(of:))).sorted() {
      // One that is known stays as it was seen: if another folder has its path since, that is still to be told.
      if let number = folders.withLock({ $0[folder] == nil ? add(folder, &$0) : nil }) {
        problems.append("\(folder): \(String(cString: strerror(number)))")
      }
    }
    return problems
  }

  /// - Returns: the system's error number, or nil.
  private func add(_ folder: String, _ folders: inout [String: Folder]) -> Int32? {
    let watch = inotify_add_watch(descriptor, folder, UInt32(IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_CREATE))
    guard watch >= 0 else { return errno }
    folders[folder] = Folder(watch: watch, identity: Self.identity(of: folder))
    return nil
  }

  /// The paths that other folders have now; those are watched from here on.
  private func movedFolders() -> [String] {
    folders.withLock { folders in
      let moved = folders.filter { path, folder in
        let identity = Self.identity(of: path)
        return !identity.isEmpty && (identity != folder.identity || folder.watch < 0)
      }
      for (path, folder) in moved {
        folders[path] = nil
        // Another path may lead to it still.
        if folder.watch >= 0, !folders.values.contains(where: { $0.watch == folder.watch }) {
          inotify_rm_watch(descriptor, folder.watch)
        }
        if add(path, &folders) != nil { folders[path] = Folder(watch: -1, identity: []) }
      }
      return moved.keys.map { $0 + "/" }
    }
  }

  /// Those that nothing has the path of since the last look.
  private func lostFolders() -> [String] {
    folders.withLock { folders in
      let lost = folders.keys.filter { path in folders[path]?.isLost == false && Self.identity(of: path).isEmpty }
      for path in lost { folders[path]?.isLost = true }
      // One that came back as it was may be lost once more.
      for path in folders.keys where folders[path]?.isLost == true && !Self.identity(of: path).isEmpty {
        folders[path]?.isLost = false
      }
      return lost.sorted()
    }
  }

  /// Empty: there is nothing of that path.
  private static func identity(of path: String) -> [UInt] {
    var status = stat()
    return stat(path, &status) == 0 ? [UInt(status.st_dev), UInt(status.st_ino)] : []
  }

  /// The path under which a change of that file is told.
  static func key(of path: String) -> String {
    folder(of: path) + "/" + (path.split(separator: "/").last.map(String.init) ?? path)
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "" : String(path[..<slash])
  }

  func start() {
    SystemThread.detach { self.run() }
  }

  /// Its thread ends, and nothing more is told.
  func stop() {
    var byte: UInt8 = 0
    _ = write(stopPipe[1], &byte, 1)
  }

  private func run() {
    var changed: Set<String> = []
    var since = ContinuousClock.now
    var lastLook = since
    while true {
      var waits = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: stopPipe[0], events: Int16(POLLIN), revents: 0),
      ]
      let count = poll(&waits, 2, changed.isEmpty ? Self.interval : Self.debounce)
      if count < 0 && errno != EINTR { break }
      if waits[1].revents != 0 { break }
      if count > 0 {
        if changed.isEmpty { since = .now }
        changed.formUnion(readChanges())
      }
      if ContinuousClock.now - lastLook >= .milliseconds(Int(Self.interval)) {
        lastLook = .now
        for folder in lostFolders() { onLoss(folder) }
        changed.formUnion(movedFolders())
      }
      guard count == 0 || ContinuousClock.now - since > Self.patience, !changed.isEmpty else { continue }
      onChange(changed)
      changed = []
    }
    for end in stopPipe + [descriptor] { close(end) }
  }

  private func readChanges() -> Set<String> {
    var changed: Set<String> = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return changed }
      buffer.withUnsafeBytes { bytes in
        var at = 0
        let header = MemoryLayout<inotify_event>.size
        while at + header <= count {
          let event = bytes.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
          let name = bytes[(at + header)..<(at + header + Int(event.len))].prefix { $0 != 0 }
          at += header + Int(event.len)
          changed.formUnion(paths(event, String(decoding: name, as: UTF8.self)))
        }
      }
    }
  }

  private func paths(_ event: inotify_event, _ name: String) -> [String] {
    folders.withLock { folders in
      // Too many at once to be told one by one.
      if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return folders.keys.map { $0 + "/" } }
      let its = folders.filter { $0.value.watch == event.wd }.keys
      if event.mask & UInt32(IN_IGNORED) != 0 {
        for folder in its { folders[folder]?.watch = -1 }
        return its.map { $0 + "/" }
      }
      return its.map { $0 + "/" + name }.filter { path in
        name.hasSuffix(".lua") || keys.withLock { $0.contains(path) }
      }
    }
  }
}
