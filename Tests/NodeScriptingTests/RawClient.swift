import Glibc
import NodeCore

/// A plain socket that is none of ours: what it writes leaves as it is written. It never blocks a thread that the
/// nodes under test may need.
final class RawClient {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private var descriptor: Int32
  private var deadline: ContinuousClock.Instant?

  init(_ address: PeerAddress) throws {
    guard let port = "\(address)".split(separator: ":").last.flatMap({ UInt16($0) }) else {
      throw Failure(description: "no port in \(address)")
    }
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  func write(_ bytes: some Collection<UInt8>) async throws {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else {
        try await wait("send")
      }
    }
    deadline = nil
  }

  /// Every byte in a segment of its own, as far as the kernel goes along.
  func writeByteByByte(_ bytes: some Collection<UInt8>) async throws {
    for byte in bytes {
      try await write([byte])
      await Task.yield()
    }
  }

  /// Writes until all is gone, or nothing more is taken for as long as `patience`; how much was taken.
  func writeWhileTaken(_ bytes: [UInt8], patience: Duration = .milliseconds(300)) async throws -> Int {
    var written = 0
    var last = ContinuousClock.now
    while written < bytes.count, ContinuousClock.now - last < patience {
      let count = bytes[written...].withUnsafeBytes {
        send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        written += count
        last = .now
      } else if errno == EAGAIN {
        try await Task.sleep(for: .milliseconds(1))
      } else {
        break
      }
    }
    return written
  }

  /// Exactly so many bytes.
  func read(_ count: Int) async throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var have = 0
    while have < count {
      let more = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + have, count - have, 0) }
      if more > 0 {
        have += more
      } else if more == 0 {
        throw Failure(description: "the peer closed after \(have) of \(count) bytes")
      } else {
        try await wait("read \(have) of \(count) bytes")
      }
    }
    deadline = nil
    return bytes
  }

  /// Everything up to the peer's end; a reset is an end too.
  func readToEnd() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count == 0 || (count < 0 && errno == ECONNRESET) { return bytes }
      if count > 0 { bytes += chunk[..<count] } else { try await wait("the end") }
    }
  }

  /// A peer that never answers fails the test, and does not hang it.
  private func wait(_ what: String) async throws {
    guard errno == EAGAIN else { throw Failure(description: "\(what): \(String(cString: strerror(errno)))") }
    let limit = deadline ?? .now + .seconds(40)
    deadline = limit
    guard ContinuousClock.now < limit else { throw Failure(description: "\(what): nothing happened for too long") }
    try await Task.sleep(for: .milliseconds(1))
  }
}
