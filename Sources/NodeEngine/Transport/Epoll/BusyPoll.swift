import CEpoll
import Glibc

/// Whether a loop looks for events a little longer, awake, before it sleeps: after a socket has brought much at once.
///
/// A stream's receiver that is the faster side would fall asleep between any two writes, and the sender would have to wake
/// another core with each: on a virtual machine that takes as long as to write 100 KiB. Where nothing comes in time, the loop
/// looks ever more seldom: a stream with pauses costs next to nothing.
struct BusyPoll {
  /// How long, in nanoseconds: a sender that is not asleep comes with its next write in less.
  static let duration: Int64 = 50_000
  /// What a stream brings with a read,
  static let much = 32 << 10
  /// and how many reads that bring less come with it: the end of a write, the first segment of the next.
  static let standardChances: UInt8 = 4
  static let longestPause: UInt8 = 64

  private let chancesAfterMuch: UInt8
  private var chances: UInt8 = 0
  /// So many chances are left out yet,
  private var pause: UInt8 = 0
  /// and so many after the next time in vain.
  private var nextPause: UInt8 = 1

  /// - Parameter chances: how many waits after a large read may begin so; 0: none does.
  init(chances: UInt8 = BusyPoll.chancesHere) { chancesAfterMuch = chances }

  private static let chancesHere =
    chances(processors: Int(cepoll_processors()), setting: getenv("MOONPEER_BUSY_POLL").map { String(cString: $0) })

  /// None on a single processor, which whoever is waited for may need, and where the environment's `MOONPEER_BUSY_POLL` is 0.
  static func chances(processors: Int, setting: String?) -> UInt8 {
    processors > 1 && setting != "0" ? standardChances : 0
  }

  @inline(__always)
  mutating func noteRead(_ count: Int) {
    if count >= Self.much { chances = chancesAfterMuch }
  }

  /// Whether to look now.
  mutating func begin() -> Bool {
    guard chances > 0 else { return false }
    chances -= 1
    guard pause == 0 else {
      pause -= 1
      return false
    }
    return true
  }

  mutating func found() { nextPause = 1 }

  mutating func foundNothing() {
    chances = 0
    pause = nextPause
    nextPause = min(2 * nextPause, Self.longestPause)
  }
}
