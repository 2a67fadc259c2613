import Dispatch
import Glibc
import Synchronization

/// Ctrl-C and SIGTERM while it lives: the first asks, the second leaves at once with 128 and the signal's number.
///
/// The handlers run on a queue of Dispatch's own, so that a stuck loop or script does not hold them up.
struct Interrupts: ~Copyable {
  private let sources: [any DispatchSourceSignal]

  /// - Parameter onFirst: gets the signal; called once.
  init(onFirst: @escaping @Sendable (Int32) -> Void) {
    let queue = DispatchQueue(label: "moonpeer.signals")
    let count = Count()
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        if count.next() == 1 { onFirst(number) } else { _exit(128 + number) }
      }
      source.activate()
      return source
    }
  }

  deinit {
    for source in sources { source.cancel() }
  }

  private final class Count: Sendable {
    private let value = Atomic(0)
    func next() -> Int { value.add(1, ordering: .relaxed).newValue }
  }
}
