import Glibc

/// The environment's variables that commands know which start nodes. A value that one cannot have is a mistake to be told of,
/// not as good as none.
enum EnvironmentVariables {
  private static let rules: [(name: String, expected: String, isValid: @Sendable (String) -> Bool)] = [
    ("MOONPEER_LOOPS", "a whole number from 1 to 1024", { Int($0).map((1...1024).contains) ?? false }),
    ("MOONPEER_BACKEND", "epoll or nio", { ["epoll", "nio"].contains($0) }),
    ("MOONPEER_IO_URING", "0 or 1", { ["0", "1"].contains($0) }),
    ("MOONPEER_BUSY_POLL", "0 or 1", { ["0", "1"].contains($0) }),
  ]

  /// One that is empty counts as not set.
  static func check() throws(CommandFailure) {
    for rule in rules {
      guard let value = getenv(rule.name).map({ String(cString: $0) }), !value.isEmpty, !rule.isValid(value) else { continue }
      let what = "\(rule.name)=\(Printable.text(value)) in the environment"
      throw CommandFailure(.usage, "\(what): \(rule.expected) is expected; without it the default holds")
    }
  }
}
