import Glibc
import NodeAdmin

/// The client's end of a console's socket.
final class ConsoleLink {
  enum Event {
    case answer(JSONValue)
    case interrupted
    case closed
  }

  let path: String
  /// What the host said of itself.
  private(set) var greeting = JSONValue.null
  let descriptor: Int32
  private var received: [UInt8] = []
  private var searched = 0

  /// How long a host may take to say who it is.
  private static let patience: Int32 = 10_000

  /// - Throws: status `network` where nobody listens, somebody else's process does, or not in this protocol.
  init(_ path: String) throws(CommandFailure) {
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Self.failure(path, errno) }
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: name.sun_path) - 1
    guard path.utf8.count <= room else {
      throw CommandFailure(.usage, "\(path): a socket's path has at most \(room) bytes")
    }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    let outcome = withUnsafePointer(to: name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard outcome == 0 else { throw Self.failure(path, errno) }
    // Whoever else listens there would get what is typed, and forge the answers: nothing is sent before that is known.
    guard let host = PeerCredentials(of: descriptor) else { throw Self.failure(path, errno) }
    guard host.areOwners else {
      throw CommandFailure(
        .network,
        "\(path): user \(host.user) listens there, not you; nothing was sent. The console of another user's nodes is opened as that user"
      )
    }
    guard case .answer(let greeting) = try next(wake: -1, patience: Self.patience) else {
      throw CommandFailure(.network, "\(path): the host there does not answer")
    }
    if let message = greeting["error"]?["message"]?.text { throw CommandFailure(.network, "\(path): \(message)") }
    guard greeting["console"]?.int == ConsoleProtocol.version else {
      throw CommandFailure(.network, "\(path): this is no console that \(Version.text) can talk to")
    }
    self.greeting = greeting
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Its nodes, as of the greeting.
  var nodes: [String] { greeting["nodes"]?.list.compactMap(\.text) ?? [] }
  /// Its number.
  var process: Int64 { greeting["process"]?.int ?? 0 }

  var gone: CommandFailure { CommandFailure(.network, "the host has gone (\(path))") }

  private static func failure(_ path: String, _ number: Int32) -> CommandFailure {
    CommandFailure(.network, "no console at \(path): \(String(cString: strerror(number)))")
  }

  /// - Throws: status `network` where the host is gone.
  func send(_ value: JSONValue) throws(CommandFailure) {
    var rest = Array((value.line + "\n").utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        throw gone
      }
    }
  }

  /// The next line from the host, or a signal.
  ///
  /// - Parameter wake: the end of a pipe that signals write to; -1: none.
  /// - Parameter patience: in milliseconds; -1: for ever. Too long counts as closed.
  func next(wake: Int32, patience: Int32 = -1) throws(CommandFailure) -> Event {
    while true {
      if let end = received[searched...].firstIndex(of: 10) {
        let value = JSONValue(line: received[..<end])
        received.removeFirst(end + 1)
        searched = 0
        guard let value else { throw CommandFailure(.network, "\(path): what comes from there is no console's answer") }
        return .answer(value)
      }
      searched = received.count
      guard searched <= ConsoleProtocol.longestAnswer else {
        throw CommandFailure(.network, "\(path): an answer of over \(ConsoleProtocol.longestAnswer) bytes")
      }
      var ends = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
      ]
      let count = poll(&ends, 2, patience)
      if count == 0 { return .closed }
      guard count > 0 else { continue }
      if ends[1].revents != 0 {
        var byte: UInt8 = 0
        _ = read(wake, &byte, 1)
        return .interrupted
      }
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let size = recv(descriptor, &buffer, buffer.count, 0)
      if size == 0 || (size < 0 && errno != EINTR) { return .closed }
      if size > 0 { received += buffer[..<size] }
    }
  }
}
