import Foundation
import NodeCore

/// Where this machine listens, as the kernel has it.
enum Ports {
  /// The state of a listening socket in /proc/net/tcp (TCP_LISTEN of the kernel's tcp_states.h).
  private static let listen = "0A"

  static var listening: Set<PeerAddress> {
    let lines = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8))?.split(separator: "\n").dropFirst() ?? []
    var found: Set<PeerAddress> = []
    for line in lines {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count > 3, words[3] == listen else { continue }
      // The address in the machine's byte order, a colon, the port.
      let parts = words[1].split(separator: ":")
      guard parts.count == 2, let raw = UInt32(parts[0], radix: 16), let port = UInt16(parts[1], radix: 16) else { continue }
      let bytes = withUnsafeBytes(of: raw.littleEndian) { Array($0) }
      if let ip = IPAddress(bytes: bytes) { found.insert(.ip(ip, port: port)) }
    }
    return found
  }
}
