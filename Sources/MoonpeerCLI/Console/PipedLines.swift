import Glibc

/// Lines from standard input where nobody types them. Waits for whatever comes first: a line, Ctrl-C, the host's end.
final class PipedLines {
  enum Input {
    case line(String)
    case end
    /// Ctrl-C, or SIGTERM.
    case interrupted
    case hostGone
  }

  private let wake: Int32
  private let host: Int32
  private var received: [UInt8] = []
  private var searched = 0
  private var hasEnded = false
  /// poll(2): the other end has closed. Answers that nobody waits for any more are no end.
  private static let closed = Int16(0x2000)

  /// - Parameter wake: the end of a pipe that signals write to.
  init(wake: Int32, host: Int32) {
    self.wake = wake
    self.host = host
  }

  func next() -> Input {
    while true {
      if let end = received[searched...].firstIndex(of: 10) {
        defer {
          received.removeFirst(end + 1)
          searched = 0
        }
        return .line(String(decoding: received[..<end], as: UTF8.self))
      }
      searched = received.count
      if hasEnded {
        defer {
          received = []
          searched = 0
        }
        return received.isEmpty ? .end : .line(String(decoding: received, as: UTF8.self))
      }
      var ends = [
        pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
        pollfd(fd: host, events: Self.closed, revents: 0),
      ]
      guard poll(&ends, 3, -1) >= 0 else { continue }
      if ends[1].revents != 0 {
        var byte: UInt8 = 0
        _ = read(wake, &byte, 1)
        return .interrupted
      }
      if ends[2].revents != 0 { return .hostGone }
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count > 0 { received += buffer[..<count] }
      if count == 0 || count < 0 && errno != EINTR && errno != EAGAIN { hasEnded = true }
    }
  }
}
