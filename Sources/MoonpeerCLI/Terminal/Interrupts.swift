import Glibc
import Synchronization

/// Ctrl-C and SIGTERM: the first asks, the second leaves at once with 128 and the signal's number.
///
/// No signal is lost from the moment ``install(onFirst:)`` returns: the handler passes the first one on through a pipe to
/// a thread that does nothing else, and a stuck loop, script or thread pool holds up neither that nor the second.
enum Interrupts {
  // What the handler touches; made before it is installed, for nothing may be made inside it.
  private static let count = Atomic(0)
  private static let pipeEnd = Atomic<Int32>(-1)

  /// For the rest of the process's life; called once.
  ///
  /// - Parameter onFirst: gets the first signal, on a thread of its own.
  static func install(onFirst: @escaping @Sendable (Int32) -> Void) throws(CommandFailure) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw CommandFailure(.failed, "cannot watch for signals: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    pipeEnd.store(ends[1], ordering: .sequentiallyConsistent)
    count.store(0, ordering: .sequentiallyConsistent)
    let watch = Unmanaged.passRetained(Watch(descriptor: ends[0], onFirst: onFirst))
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Watch>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, watch.toOpaque())
    pthread_detach(thread)
    var action = sigaction()
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { number in Interrupts.handle(number) }
    for number in [SIGINT, SIGTERM] { sigaction(number, &action, nil) }
  }

  // Only what signal-safety(7) allows: atomics, write and _exit.
  private static func handle(_ number: Int32) {
    guard count.add(1, ordering: .sequentiallyConsistent).newValue == 1 else { _exit(128 + number) }
    let before = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(pipeEnd.load(ordering: .sequentiallyConsistent), &byte, 1)
    errno = before
  }

  private final class Watch {
    private let descriptor: Int32
    private let onFirst: @Sendable (Int32) -> Void

    init(descriptor: Int32, onFirst: @escaping @Sendable (Int32) -> Void) {
      self.descriptor = descriptor
      self.onFirst = onFirst
    }

    func run() {
      var byte: UInt8 = 0
      while read(descriptor, &byte, 1) != 1 { guard errno == EINTR else { return } }
      onFirst(Int32(byte))
    }
  }
}
