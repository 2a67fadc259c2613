import Glibc
import Synchronization

/// SIGHUP: asks a daemon to read its files anew.
enum Hangups {
  // What the handler touches; made before it is installed, for nothing may be made inside it.
  private static let writing = Atomic<Int32>(-1)

  /// For the rest of the process's life; called once. Until it returns, SIGHUP does what it always does; after it none is lost.
  ///
  /// - Parameter onHangup: called on a thread of its own; once for several that come at the same time.
  static func watch(_ onHangup: @escaping @Sendable () -> Void) throws(CommandFailure) {
    let ends = try SignalPipe.make()
    // A full pipe says enough.
    _ = fcntl(ends.writing, F_SETFL, O_NONBLOCK)
    writing.store(ends.writing, ordering: .sequentiallyConsistent)
    SystemThread.detach {
      var bytes = [UInt8](repeating: 0, count: 64)
      while true {
        let count = read(ends.reading, &bytes, bytes.count)
        if count > 0 { onHangup() } else if count == 0 || errno != EINTR { return }
      }
    }
    SignalPipe.handle([SIGHUP]) { SignalPipe.tell(Hangups.writing.load(ordering: .sequentiallyConsistent), $0) }
  }
}
