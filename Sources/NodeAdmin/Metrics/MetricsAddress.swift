public import NodeCore

/// Where metrics are served: an IP address and a port.
public struct MetricsAddress: Sendable, Hashable, CustomStringConvertible {
  public let ip: IPAddress
  /// 0: any free one.
  public let port: UInt16

  public init(ip: IPAddress = .loopback, port: UInt16) {
    self.ip = ip
    self.port = port
  }

  /// `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`, or a port alone, which means loopback.
  ///
  /// - Throws: code `address`, with what is expected.
  public init(parsing text: String) throws(AdminError) {
    if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
      guard let port = UInt16(text) else {
        throw AdminError(code: .address, message: "\"\(text)\" is not a port: a number from 0 to 65535 is expected")
      }
      self.init(port: port)
      return
    }
    if text.hasPrefix(":") {
      throw AdminError(
        code: .address,
        message: "\"\(text)\": the host is missing; write \(text.dropFirst()) for loopback only, 0.0.0.0\(text) for everybody")
    }
    let address: PeerAddress
    do throws(NodeCoreError) {
      address = try PeerAddress(parsing: text)
    } catch {
      throw AdminError(code: .address, message: "\(error.message), or a port alone for loopback", cause: error)
    }
    switch address {
    case .ip(let ip, let port): self.init(ip: ip, port: port)
    case .name("localhost", let port): self.init(port: port)
    case .name, .unix:
      throw AdminError(
        code: .address, message: "\"\(text)\": metrics are served on an IP address; write 127.0.0.1:9464, or a port alone")
    }
  }

  public var description: String { "\(PeerAddress.ip(ip, port: port))" }
}
