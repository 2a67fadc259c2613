import Glibc
import NodeCore

struct SocketFailure: Error, CustomStringConvertible {
  let what: String
  let number: Int32
  var description: String { "\(what): \(String(cString: strerror(number)))" }
}

/// A socket of our own, for peers that misbehave: nothing between the test and the system calls. Never blocks.
final class RawSocket: @unchecked Sendable {
  // Used by one test at a time, which is what makes it safe to be sent.
  private var descriptor: Int32

  init(descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit { close() }

  /// Connects; the kernel finishes the handshake by itself, so this does not wait for an accept.
  init(to address: PeerAddress, from source: PeerAddress? = nil, receiveBuffer: Int32? = nil) throws {
    let descriptor = Self.make(address)
    self.descriptor = descriptor
    if let receiveBuffer { Self.set(descriptor, SO_RCVBUF, receiveBuffer) }
    if let source, Self.withSocketAddress(source, { bind(descriptor, $0, $1) }) != 0 {
      throw SocketFailure(what: "bind to \(source)", number: errno)
    }
    let result = Self.withSocketAddress(address) { Glibc.connect(descriptor, $0, $1) }
    // A peer that rejects at once may be quicker than the system call: then the first read says so.
    guard result == 0 || errno == ECONNRESET else { throw SocketFailure(what: "connect to \(address)", number: errno) }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  /// Starts to connect and does not wait for the answer.
  init(dialling address: PeerAddress) {
    let descriptor = Self.make(address)
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    _ = Self.withSocketAddress(address) { Glibc.connect(descriptor, $0, $1) }
  }

  var localAddress: PeerAddress {
    get throws {
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let result = withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
      }
      guard result == 0 else { throw SocketFailure(what: "getsockname", number: errno) }
      return Self.address(of: storage)
    }
  }

  /// How many of the bytes the kernel took.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int {
    max(0, Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)))
  }

  /// A byte out of band, which readers skip.
  func sendUrgent(_ byte: UInt8) { withUnsafeBytes(of: byte) { _ = Glibc.send(descriptor, $0.baseAddress, 1, Int32(MSG_OOB)) } }

  /// Bytes that a descriptor comes with, which only a Unix socket takes: 0, or the error.
  func send(_ bytes: [UInt8], passing passed: Int32) -> Int32 {
    // cmsghdr, by the places of its fields (cmsg(3), unix(7)): length, SOL_SOCKET, SCM_RIGHTS, the descriptor.
    var control = [UInt8](repeating: 0, count: 24)
    control.withUnsafeMutableBytes {
      $0.storeBytes(of: 20, as: Int.self)
      $0.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
      $0.storeBytes(of: 1, toByteOffset: 12, as: Int32.self)
      $0.storeBytes(of: passed, toByteOffset: 16, as: Int32.self)
    }
    var bytes = bytes
    let (count, size) = (bytes.count, control.count)
    let sent = bytes.withUnsafeMutableBytes { bytes in
      control.withUnsafeMutableBytes { control in
        var part = iovec(iov_base: bytes.baseAddress, iov_len: count)
        return withUnsafeMutablePointer(to: &part) { part in
          var message = msghdr()
          (message.msg_iov, message.msg_iovlen) = (part, 1)
          (message.msg_control, message.msg_controllen) = (control.baseAddress, size)
          return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
        }
      }
    }
    return sent == count ? 0 : errno
  }

  func sendAll(_ bytes: [UInt8]) async throws {
    var rest = bytes[...]
    try await eventually("the peer takes \(bytes.count) bytes") {
      let count = self.send(Array(rest))
      rest = rest.dropFirst(count)
      return rest.isEmpty
    }
  }

  enum Arrival: Equatable {
    case bytes([UInt8]), nothing, end, reset
  }

  /// What is there now.
  func poll(_ most: Int = 65_536) -> Arrival {
    var buffer = [UInt8](repeating: 0, count: most)
    let count = recv(descriptor, &buffer, most, 0)
    if count > 0 { return .bytes(Array(buffer[..<count])) }
    if count == 0 { return .end }
    return errno == EAGAIN ? .nothing : .reset
  }

  /// Exactly so many bytes.
  func receive(_ count: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    try await eventually("\(count) bytes arrive") {
      while bytes.count < count, case .bytes(let more) = self.poll(count - bytes.count) { bytes += more }
      return bytes.count == count
    }
    return bytes
  }

  /// Everything up to the end, and how it ended.
  func receiveRest() async throws -> (bytes: [UInt8], ending: Arrival) {
    var bytes: [UInt8] = []
    var ending = Arrival.nothing
    try await eventually("the peer ends") {
      while true {
        switch self.poll() {
        case .bytes(let more): bytes += more
        case .nothing: return false
        case let end:
          ending = end
          return true
        }
      }
    }
    return (bytes, ending)
  }

  /// No more will be sent; reading goes on.
  func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// The peer sees a reset.
  func reset() {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    close()
  }
}

/// A listening socket that accepts only when it is told to.
final class RawListener: @unchecked Sendable {
  // As above.
  private let descriptor: Int32
  let address: PeerAddress

  init(on wish: PeerAddress = .ip(.loopback, port: 0), backlog: Int32 = 64) throws {
    let descriptor = RawSocket.make(wish)
    self.descriptor = descriptor
    let result = RawSocket.withSocketAddress(wish) { bind(descriptor, $0, $1) }
    guard result == 0, listen(descriptor, backlog) == 0 else { throw SocketFailure(what: "listen", number: errno) }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    withUnsafeMutablePointer(to: &storage) {
      _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    if case .unix = wish { address = wish } else { address = RawSocket.address(of: storage) }
  }

  deinit { close(descriptor) }

  func accept() async throws -> RawSocket {
    var accepted: Int32 = -1
    try await eventually("somebody connects") {
      accepted = Glibc.accept(self.descriptor, nil, nil)
      return accepted >= 0
    }
    return RawSocket(descriptor: accepted)
  }

  func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

extension RawSocket {
  static func make(_ address: PeerAddress) -> Int32 {
    let family: Int32
    switch address {
    case .ip(let ip, _): family = ip.isV4 ? AF_INET : AF_INET6
    default: family = AF_UNIX
    }
    return socket(family, Int32(SOCK_STREAM.rawValue), 0)
  }

  static func set(_ descriptor: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  static func withSocketAddress(_ address: PeerAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    func pass<Name>(_ name: Name) -> Int32 {
      withUnsafePointer(to: name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Name>.size)) }
      }
    }
    switch address {
    case .ip(let ip, let port) where ip.isV4:
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: ip.bytes) }
      return pass(name)
    case .ip(let ip, let port):
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: ip.bytes) }
      return pass(name)
    case .unix(let path):
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
      return pass(name)
    case .name: return -1
    }
  }

  static func address(of storage: sockaddr_storage) -> PeerAddress {
    withUnsafeBytes(of: storage) { bytes in
      let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
      let ip = Int32(storage.ss_family) == AF_INET ? Array(bytes[4..<8]) : Array(bytes[8..<24])
      return .ip(IPAddress(bytes: ip)!, port: port)
    }
  }
}

extension PeerAddress {
  /// Where nobody listens: on the loopback, but not on the address where all other tests get ports given.
  static func unused() throws -> PeerAddress { try RawListener(on: .ip(IPAddress(v4: 0x7F00_4D50), port: 0)).address }
}
