import Glibc

/// What brings a signal from its handler, which may do next to nothing, to who waits for it: a pipe.
enum SignalPipe {
  /// Its ends; neither is inherited.
  static func make() throws(CommandFailure) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw CommandFailure(.failed, "cannot watch for signals: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// From the moment this returns no such signal is lost. The handler may do what signal-safety(7) allows.
  static func handle(_ signals: [Int32], _ handler: @escaping @convention(c) (Int32) -> Void) {
    var action = sigaction()
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = handler
    for number in signals { sigaction(number, &action, nil) }
  }

  /// For handlers.
  static func tell(_ writing: Int32, _ number: Int32) {
    let before = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(writing, &byte, 1)
    errno = before
  }
}
