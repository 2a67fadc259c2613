import CEpoll
import Glibc

/// Whether a loop looks for events a little longer, awake, before it sleeps: after a socket has brought much at once.
///
/// A stream's receiver that is the faster side would fall asleep between any two writes, and the sender would have to wake
/// another core with each: on a virtual machine that takes as long as to write 100 KiB. Where nothing comes in time, the loop
/// looks ever more seldom, so that streams with pauses cost little.
struct BusyPoll {
  /// How long, in nanoseconds: less than what a sleeping receiver costs its sender and itself (docs/PERFORMANCE.md).
  static let duration: Int64 = 50_000
  /// What a stream brings with a read,
  static let much = 32 << 10
  /// and how many waits after it may begin awake: in between a stream brings less, the end of a write or a segment of the next.
  static let standardChances: UInt8 = 4
  /// In chances: what is always in vain is tried for about one large read in 17. Twice as many must fit.
  static let longestPause: UInt8 = 64
  /// So many finds in a row are a stream without pauses. The parts of one burst are fewer.
  static let manyFinds: UInt8 = 16

  private let chancesAfterMuch: UInt8
  private(set) var chances: UInt8 = 0
  /// So many chances are left out yet,
  private var pause: UInt8 = 0
  /// and so many after the next time in vain.
  private var nextPause: UInt8 = 1
  private var finds: UInt8 = 0

  /// - Parameter chances: how many waits after a large read may begin awake; 0: none does.
  init(chances: UInt8) { chancesAfterMuch = chances }

  /// For a loop whose thread the calling one starts.
  init() {
    self.init(chances: Self.chances(processors: Int(cepoll_processors())) { getenv($0).map { String(cString: $0) } })
  }

  /// None on a single processor, which whoever is waited for may need, and where the environment's `MOONPEER_BUSY_POLL` is 0.
  static func chances(processors: Int, variable: (String) -> String?) -> UInt8 {
    processors > 1 && variable("MOONPEER_BUSY_POLL") != "0" ? standardChances : 0
  }

  @inline(__always)
  mutating func noteRead(_ count: Int) {
    if count >= Self.much { chances = chancesAfterMuch }
  }

  /// Whether to look awake now, which uses a chance up.
  mutating func begin() -> Bool {
    guard chances > 0 else { return false }
    chances -= 1
    guard pause == 0 else {
      pause -= 1
      return false
    }
    return true
  }

  /// Looks again and again.
  ///
  /// - Returns: how many events there are; 0 where none came in time.
  mutating func look(clock: () -> Int64, _ look: () -> Int) -> Int {
    let end = clock() + Self.duration
    repeat {
      let count = look()
      if count > 0 {
        found()
        return count
      }
    } while clock() < end
    foundNothing()
    return 0
  }

  private mutating func found() {
    finds = min(finds + 1, Self.manyFinds)
    if finds == Self.manyFinds { nextPause = 1 }
  }

  private mutating func foundNothing() {
    chances = 0
    finds = 0
    pause = nextPause
    nextPause = min(2 * nextPause, Self.longestPause)
  }
}
