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
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw CommandFailure(.failed, "cannot watch for signals: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // A byte that is there already says enough.
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    writeEnd.store(ends[1], ordering: .sequentiallyConsistent)
    var action = sigaction()
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { number in Wakeups.handle(number) }
    for number in [SIGINT, SIGTERM] { sigaction(number, &action, nil) }
    return ends[0]
  }

  /// SIGTERM has come.
  static var hasToEnd: Bool { ending.load(ordering: .sequentiallyConsistent) != 0 }

  // Only what signal-safety(7) allows.
  private static func handle(_ number: Int32) {
    let before = errno
    if number == SIGTERM { ending.store(1, ordering: .sequentiallyConsistent) }
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(writeEnd.load(ordering: .sequentiallyConsistent), &byte, 1)
    errno = before
  }
}
