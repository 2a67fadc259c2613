import Foundation
import Glibc
import NodeAdmin
import NodeCore

/// A socket that says what a test wants it to; what it waits for has a bound that only a hang reaches.
final class HTTPClient {
  private let descriptor: Int32

  init(_ address: MetricsAddress) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = address.port.bigEndian
    name.sin_addr.s_addr = address.ip.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    let result = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    guard result == 0 else { throw NotSo(description: "connect: \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  func say(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Until the other side closes.
  func everything() async throws -> String {
    var all: [UInt8] = []
    while let more = try await some() { all += more }
    return String(decoding: all, as: UTF8.self)
  }

  /// One response by its content-length; without a body where the request was a HEAD.
  func response(hasBody: Bool = true) async throws -> String {
    var all: [UInt8] = []
    while true {
      let text = String(decoding: all, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let length =
          text.split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
        if !hasBody || text[end.upperBound...].utf8.count >= length { return text }
      }
      guard let more = try await some() else { return text }
      all += more
    }
  }

  private func some() async throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var count = 0
    // Not blocking: the server's own tasks need the threads that tests run on.
    try await eventually("an answer") {
      count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      return count >= 0 || errno != EAGAIN
    }
    return count > 0 ? Array(buffer[..<count]) : nil
  }
}
