import ArgumentParser
import Foundation

/// Another process that dials, and holds its connections until told to go: its memory is not ours.
final class DialerProcess {
  static let frame = 4096
  private let process = Process()
  private let input = Pipe()
  private let count: Int
  private let before: Int
  private var pace = DialPace()

  /// - Parameters:
  ///   - before: how many connections the node has already.
  ///   - bytes: what each connection sends, in frames of ``frame`` bytes behind 4-byte lengths; 0: nothing.
  init(port: UInt16, count: Int, before: Int = 0, bytes: Int = 0) throws {
    self.count = count
    self.before = before
    // A process that gave up is found by its status, not by this one's end.
    signal(SIGPIPE, SIG_IGN)
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = ["dial", "\(port)", "\(count)", "\(bytes)"]
    process.standardInput = input
    try process.run()
  }

  /// Waits until the node has all connections, and lets the dials go on as it takes them in.
  ///
  /// - Parameter connected: asks the node how many it has.
  func all(_ connected: () async throws -> Int) async throws {
    try await until("\(count) connections") {
      // It gave up: nobody need wait for its connections.
      if !process.isRunning { throw BenchError("the dialing process ended with status \(process.terminationStatus)") }
      let taken = try await connected() - before
      try tell(taken)
      return taken == count
    }
  }

  private func tell(_ taken: Int) throws {
    guard pace.isNews(taken) else { return }
    try withUnsafeBytes(of: Int64(taken)) { try input.fileHandleForWriting.write(contentsOf: $0) }
  }

  func end() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}

struct Dialer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dial", abstract: "Dials and holds; used by cases.", shouldDisplay: false)
  @Argument var port: Int
  @Argument var count: Int
  @Argument var bytes: Int

  func run() throws {
    _ = Machine.raiseDescriptorLimit()
    var frame = withUnsafeBytes(of: UInt32(DialerProcess.frame).bigEndian) { Array($0) }
    frame += [UInt8](repeating: 0x78, count: DialerProcess.frame)
    var taken = 0
    for index in 0..<count {
      while !DialPace.mayDial(after: index, taken: taken) { taken = try nextWord() }
      let descriptor = try dial(index)
      var left = bytes
      while left > 0 {
        try send(frame, to: descriptor)
        left -= DialerProcess.frame
      }
    }
    _ = FileHandle.standardInput.readDataToEndOfFile()
  }

  /// How many connections the node has taken, as this is told by the process that started it.
  private func nextWord() throws -> Int {
    guard let word = try FileHandle.standardInput.read(upToCount: 8), word.count == 8 else {
      throw BenchError("nobody waits for the connections any more")
    }
    return Int(word.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) })
  }

  /// A blocking connect waits for the kernel's handshake. Over 28,000 ports of one address do not exist, so the
  /// connections come from several loopback addresses.
  private func dial(_ index: Int) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw BenchError("socket: \(String(cString: strerror(errno)))") }
    // Or the bind itself would take a port that is free towards everybody.
    var late: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &late, socklen_t(MemoryLayout<Int32>.size))
    var local = address(host: 0x7F00_0002 + UInt32(index / 4000), port: 0)
    var remote = address(host: 0x7F00_0001, port: UInt16(port))
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafePointer(to: &local) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
    }
    let isConnected = withUnsafePointer(to: &remote) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
    }
    guard isBound == 0, isConnected == 0 else { throw BenchError("dial \(index): \(String(cString: strerror(errno)))") }
    return descriptor
  }

  private func address(host: UInt32, port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = host.bigEndian
    address.sin_port = port.bigEndian
    return address
  }

  private func send(_ bytes: [UInt8], to descriptor: Int32) throws {
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + start, bytes.count - start, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw BenchError("send: \(String(cString: strerror(errno)))") }
      start += count
    }
  }
}
