import Glibc
import NodeCore
import NodeEngine

/// The Unix sockets that a script may have to do with: those that whoever runs it has named.
///
/// Behind such a socket is a program that trusts whoever can reach it (a console, a database, a container's host), and a script
/// often dials what a peer has told it. So none is allowed unless it was named, also for a script that is trusted.
package struct UnixSockets: Sendable {
  // Bytes, as for the kernel: two texts that are equal to a reader may be two files.
  private let allowed: Set<[UInt8]>

  /// Those of the options, and the addresses that the options, and not the script, give for the node to listen on.
  init(_ options: ScriptOptions) {
    var given = options.defaults
    for (key, value) in options.configuration where key == "listen" { try? given.set(key, to: value) }
    let own = given.listen.compactMap { address -> String? in
      guard case .unix(let path) = address else { return nil }
      return path
    }
    // An address that was given is allowed as it is, wherever it climbs.
    allowed = Set((options.unixSockets + own).compactMap(Self.plain) + own.map { Array($0.utf8) })
  }

  /// Why the script may not dial or listen there; nil: it may.
  func problem(with address: PeerAddress) -> NodeError? {
    guard case .unix(let path) = address else { return nil }
    if allowed.contains(Array(path.utf8)) { return nil }
    if let plain = Self.plain(path), let last = plain.lastIndex(of: Self.slash) {
      let folder = last == 0 ? [Self.slash] : Array(plain[..<last])
      if allowed.contains(plain) || allowed.contains(folder) { return nil }
    }
    return NodeError(
      code: .notAllowed,
      message: "\(address): this script may not use that Unix socket; whoever runs the node allows it by its path, or its "
        + "folder's, with --unix-sockets PATH (in scenarios unix_sockets, in Swift ScriptOptions.unixSockets)")
  }

  /// Why a socket or a folder cannot be named so; nil: it can.
  package static func problem(naming path: String) -> String? {
    if path.isEmpty { return "an empty path names nothing" }
    if path.hasPrefix("unix:") { return "a path is expected, without unix: before it" }
    return plain(path) == nil ? "a path with .. in it names nothing that is sure to stay the same" : nil
  }

  private static let slash = UInt8(ascii: "/")

  /// From the root, each part once; nil for none, and for a path that climbs, since what it means depends on links.
  private static func plain(_ path: String) -> [UInt8]? {
    guard !path.isEmpty else { return nil }
    var whole = Array(path.utf8)
    if whole[0] != slash {
      guard let current = getcwd(nil, 0) else { return nil }
      defer { free(current) }
      whole = UnsafeBufferPointer(start: current, count: strlen(current)).map { UInt8(bitPattern: $0) } + [slash] + whole
    }
    let dot = UInt8(ascii: ".")
    let parts = whole.split(separator: slash).filter { !$0.elementsEqual([dot]) }
    guard !parts.contains(where: { $0.elementsEqual([dot, dot]) }) else { return nil }
    return parts.isEmpty ? [slash] : parts.reduce(into: []) { $0 += [slash] + $1 }
  }
}
