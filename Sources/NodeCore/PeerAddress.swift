/// Where a node listens or dials.
///
/// Written `127.0.0.1:4000`, `[::1]:4000`, `host.name:4000` or `unix:/path`.
public enum PeerAddress: Sendable, Hashable {
  case ip(IPAddress, port: UInt16)
  /// A name still to be resolved.
  case name(String, port: UInt16)
  case unix(String)

  /// The path of a Unix socket must fit into the system's `sockaddr_un`.
  static let longestPath = 107

  /// - Throws: code `address`, with what was expected.
  public init(parsing text: String) throws(NodeCoreError) {
    func refused(_ why: String) -> NodeCoreError {
      NodeCoreError(
        code: .address,
        message: "\"\(text)\" is not an address: \(why); write 127.0.0.1:4000, [::1]:4000, host.name:4000 or unix:/path")
    }
    // The usual kind first: below, texts are taken apart by characters, which costs more than the rest of a dial.
    if let colon = text.utf8.lastIndex(of: 58), let address = IPAddress(v4Text: text.utf8[..<colon]),
      let port = Self.number(text.utf8[text.utf8.index(after: colon)...])
    {
      self = .ip(address, port: port)
      return
    }
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard !path.isEmpty else { throw refused("the path is missing") }
      guard path.utf8.count <= Self.longestPath else {
        throw refused("the path is longer than \(Self.longestPath) bytes")
      }
      guard !path.utf8.contains(0) else { throw refused("the path contains a zero byte") }
      self = .unix(path)
      return
    }
    let host: Substring
    let port: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { throw refused("the ] is missing") }
      let rest = text[text.index(after: end)...]
      guard rest.hasPrefix(":") else { throw refused("the port is missing") }
      host = text[text.index(after: text.startIndex)..<end]
      port = rest.dropFirst()
      guard host.contains(":"), let address = IPAddress(String(host)) else {
        throw refused("\"\(host)\" is not an IPv6 address")
      }
      self = .ip(address, port: try Self.port(port, refused))
      return
    }
    guard let colon = text.lastIndex(of: ":") else { throw refused("the port is missing") }
    host = text[..<colon]
    port = text[text.index(after: colon)...]
    guard !host.isEmpty else { throw refused("the host is missing") }
    guard !host.contains(":") else { throw refused("an IPv6 address needs brackets") }
    let number = try Self.port(port, refused)
    if let address = IPAddress(String(host)) {
      self = .ip(address, port: number)
      return
    }
    let isName = host.utf8.allSatisfy { byte in
      (byte >= 48 && byte <= 57) || (byte | 32 >= 97 && byte | 32 <= 122) || byte == 45 || byte == 46 || byte == 95
    }
    guard isName else { throw refused("\"\(host)\" is neither an IP address nor a host name") }
    // A name of digits and dots only is a mistyped IPv4 address, and no resolver should be asked about it.
    guard host.utf8.contains(where: { $0 | 32 >= 97 && $0 | 32 <= 122 }) else {
      throw refused("\"\(host)\" is not an IPv4 address")
    }
    self = .name(String(host), port: number)
  }

  /// Nothing but one to five digits, up to 65535; everything else is looked at again, for the words.
  private static func number(_ digits: Substring.UTF8View) -> UInt16? {
    guard (1...5).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return UInt16(exactly: digits.reduce(0) { $0 * 10 + Int($1 - 48) })
  }

  private static func port(
    _ text: Substring, _ refused: (String) -> NodeCoreError
  ) throws(NodeCoreError) -> UInt16 {
    guard let port = UInt16(text), text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
      throw refused("the port \"\(text)\" is not a number from 0 to 65535")
    }
    return port
  }

  /// The IP address; nil for names and Unix sockets.
  public var ip: IPAddress? { if case .ip(let address, _) = self { address } else { nil } }
  /// The port; 0 where the system is to choose, nil for Unix sockets.
  public var port: UInt16? {
    switch self {
    case .ip(_, let port), .name(_, let port): port
    case .unix: nil
    }
  }

  /// Whether dialling it from this machine would reach a listener bound to `listener`.
  public func reaches(_ listener: PeerAddress) -> Bool {
    if self == listener { return true }
    guard case .ip(let own, let ownPort) = self, case .ip(let other, let otherPort) = listener else { return false }
    guard ownPort == otherPort, ownPort != 0 else { return false }
    // Dialling the wildcard address means the loopback one (ip(7)).
    if other.isUnspecified { return own.isLoopback || own.isUnspecified }
    return own.isUnspecified && other.isLoopback
  }
}

extension PeerAddress: CustomStringConvertible {
  /// As ``init(parsing:)`` reads it.
  public var description: String {
    switch self {
    case .ip(let address, let port): address.text(port: port)
    case .name(let name, let port): "\(name):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
