import Glibc
import NodeCore

/// What the schedulers of real loops have in common: the machine's clock, and chance.
enum RealWorld {
  /// Seconds since 1970.
  static var wallClock: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func makeGenerator(purpose: String) -> SeededGenerator {
    SeededGenerator(seed: UInt64.random(in: 0 ... .max)).split(purpose)
  }
}
