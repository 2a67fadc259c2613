import Glibc

/// The file of `--junit`, opened before the run so that a wrong path is found at once.
struct JUnitFile: Sendable {
  private let path: String
  private let descriptor: Int32

  /// - Throws: status `cannotCreate`.
  init(_ path: String) throws(CommandFailure) {
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .cannotCreate(path, errno) }
    self.path = path
  }

  func write(_ entries: [TestEntry], duration: Duration) throws(CommandFailure) {
    do throws(CommandFailure) {
      try Output(descriptor: descriptor, name: path).write(JUnitReport().text(entries, duration: duration))
    } catch {
      throw CommandFailure(.cannotCreate, error.message)
    }
    // A full disk may be reported only here.
    guard close(descriptor) == 0 else { throw .cannotCreate(path, errno) }
  }
}
