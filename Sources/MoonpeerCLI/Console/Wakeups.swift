import Glibc
import Synchronization

/// Ctrl-C and SIGTERM for a program that waits for something else at the same time: both arrive as a byte in a pipe.
enum Wakeups {
  private static let writeEnd = Atomic<Int32>(-1)
  private static let ending = Atomic<Int32>(0)

  /// For the rest of the process's life; called once.
  ///
  /// - Returns: the end to wait at.
  static func install() throws(CommandFailure) -> Int32 {
    let ends = try SignalPipe.make()
    // A byte that is there already says enough.
    _ = fcntl(ends.writing, F_SETFL, O_NONBLOCK)
    writeEnd.store(ends.writing, ordering: .sequentiallyConsistent)
    SignalPipe.handle([SIGINT, SIGTERM]) { Wakeups.handle($0) }
    return ends.reading
  }

  /// SIGTERM has come.
  static var hasToEnd: Bool { ending.load(ordering: .sequentiallyConsistent) != 0 }

  // Only what signal-safety(7) allows.
  private static func handle(_ number: Int32) {
    if number == SIGTERM { ending.store(1, ordering: .sequentiallyConsistent) }
    SignalPipe.tell(writeEnd.load(ordering: .sequentiallyConsistent), number)
  }
}
