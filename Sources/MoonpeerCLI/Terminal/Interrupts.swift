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
    let ends = try SignalPipe.make()
    pipeEnd.store(ends.writing, ordering: .sequentiallyConsistent)
    count.store(0, ordering: .sequentiallyConsistent)
    SystemThread.detach {
      var byte: UInt8 = 0
      while read(ends.reading, &byte, 1) != 1 { guard errno == EINTR else { return } }
      onFirst(Int32(byte))
    }
    SignalPipe.handle([SIGINT, SIGTERM]) { Interrupts.handle($0) }
  }

  // Only what signal-safety(7) allows: atomics, write and _exit.
  private static func handle(_ number: Int32) {
    guard count.add(1, ordering: .sequentiallyConsistent).newValue == 1 else { _exit(128 + number) }
    SignalPipe.tell(pipeEnd.load(ordering: .sequentiallyConsistent), number)
  }
}
