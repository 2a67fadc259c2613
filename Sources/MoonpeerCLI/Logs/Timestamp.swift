import Glibc

/// A moment of the wall clock, as log lines show it.
struct Timestamp: Sendable {
  /// Since 1970, UTC.
  var seconds: Int
  var milliseconds: Int

  static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
  }

  /// `2026-11-21T07:22:20.123Z` (RFC 3339).
  var full: String {
    var broken = tm()
    var seconds = seconds
    gmtime_r(&seconds, &broken)
    let date = "\(broken.tm_year + 1900)-\(Self.two(broken.tm_mon + 1))-\(Self.two(broken.tm_mday))"
    return "\(date)T\(Self.clock(broken)).\(three)Z"
  }

  /// `08:22:20.123` in the machine's time zone.
  var timeOfDay: String {
    var broken = tm()
    var seconds = seconds
    localtime_r(&seconds, &broken)
    return "\(Self.clock(broken)).\(three)"
  }

  private var three: String { String(1000 + milliseconds).dropFirst().description }
  private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
  private static func clock(_ time: tm) -> String { "\(two(time.tm_hour)):\(two(time.tm_min)):\(two(time.tm_sec))" }
}
