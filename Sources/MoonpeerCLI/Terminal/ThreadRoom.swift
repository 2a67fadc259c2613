import Dispatch
import Glibc
import NodeEngine

/// Room for the threads that the program will need. Missed later, it would say nothing: Swift's own pool waits for ever where the
/// system refuses it a thread.
enum ThreadRoom {
  /// Beside the event loops: Swift's pool has one for each processor; the log, signals, watched files, the console and
  /// Dispatch have some of their own.
  static var needed: Int { EpollLoops.sharedCount + max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) + 8 }

  /// Ends the program, with words, where there is no room.
  static func require() {
    let gate = DispatchSemaphore(value: 0)
    var threads: [pthread_t] = []
    var isRefused = false
    while !isRefused && threads.count < needed {
      let (thread, status) = SystemThread.start { gate.wait() }
      if status == 0 { threads.append(thread) } else { isRefused = true }
    }
    for _ in threads { gate.signal() }
    for thread in threads { pthread_join(thread, nil) }
    guard isRefused else { return }
    let loops = "event loops among them: \(EpollLoops.sharedCount)"
    refuse("refuses threads: up to \(needed) are needed (\(loops)), and \(threads.count) were to be had")
  }

  /// Not by way of the log, which has a thread itself.
  static func refuse(_ what: String) -> Never {
    let message =
      "moonpeer: the system \(what); allow more before the start (ulimit -u, ulimit -v, or a container's limits of "
      + "processes and memory), or have fewer event loops with the environment's MOONPEER_LOOPS\n"
    _ = message.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    _exit(ExitStatus.system.rawValue)
  }
}
