import Glibc
import Synchronization

/// Event loops over Linux's epoll, for nodes to live on. A program that says nothing gets ``shared``.
public final class EpollLoops: Sendable {
  /// Those of the process, which never end: one for each core, or as many as the environment's `MOONPEER_LOOPS` says.
  public static let shared = EpollLoops(count: sharedCount)

  private let loops: [EpollLoop]
  private let turn = Atomic(0)

  /// Each loop is a thread; it runs until ``shutDown()``, whoever lets go of this.
  ///
  /// - Parameter count: at least 1.
  public convenience init(count: Int) { self.init(count: count, lingering: .shared) }

  init(count: Int, lingering: Lingering, calls: SocketCalls = .standard) {
    precondition(count >= 1, "there must be a loop")
    do {
      loops = try (1...count).map { try EpollLoop(name: "moonpeer-\($0)", lingering: lingering, calls: calls) }
    } catch {
      // Not a precondition, which says nothing in release.
      fatalError("\(error)")
    }
  }

  public var first: EpollLoop { loops[0] }

  /// The loop whose turn it is.
  public func next() -> EpollLoop {
    loops[turn.wrappingAdd(1, ordering: .relaxed).oldValue % loops.count]
  }

  /// Ends the loops and what is left on them; shut the nodes down before, for their work is never done after this.
  public func shutDown() async {
    for loop in loops {
      await withCheckedContinuation { continuation in loop.stop { continuation.resume() } }
    }
  }

  /// How many ``shared`` has.
  package static var sharedCount: Int {
    if let text = getenv("MOONPEER_LOOPS"), let count = Int(String(cString: text)), count >= 1 { return min(count, 1024) }
    return max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }
}
