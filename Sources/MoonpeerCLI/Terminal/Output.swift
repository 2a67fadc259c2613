import Glibc
import Synchronization

/// Standard output or standard error, written at once and whole lines at a time, so that neither is lost or mixed up.
final class Output: Sendable {
  static let standard = Output(descriptor: STDOUT_FILENO, name: "standard output")
  static let error = Output(descriptor: STDERR_FILENO, name: "standard error")

  let descriptor: Int32
  private let name: String
  // Held while writing: lines of several threads stay apart.
  private let lock = Mutex(())

  init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Takes the place of standard descriptors that the caller closed (`>&-`). Otherwise the next socket would get the
  /// number, and what is meant for people would go to a peer. Writing there fails, as it should.
  static func reserveStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is given out, and those below are taken.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// The terminal's columns; 80 where it does not say.
  var width: Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// - Throws: status `outputLost`: a closed pipe, a full disk.
  func write(_ text: String) throws(CommandFailure) {
    let problem = lock.withLock { _ in put(text) }
    guard let problem else { return }
    throw CommandFailure(.outputLost, "cannot write to \(name): \(String(cString: strerror(problem)))")
  }

  /// As `write`, for what may get lost: standard error has nowhere to report its own loss.
  func tell(_ text: String) {
    _ = lock.withLock { _ in put(text) }
  }

  /// The system's error number, or nil.
  private func put(_ text: String) -> Int32? {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count >= 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          // Somebody who shares the terminal has made it non-blocking.
          var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&wanted, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }
}
