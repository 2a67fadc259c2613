import Glibc
import NodeCore
import NodeEngine

/// The Unix sockets that a script may have to do with: those that whoever runs it has named.
///
/// Behind such a socket is a program that trusts whoever can reach it (a console, a database, a container's host), and a script
/// often dials what a peer has told it. So none is allowed unless it was named, also for a script that is trusted.
struct UnixSockets: Sendable {
  private let allowed: Set<String>

  /// Those of the options, and the addresses that the options, and not the script, give for the node to listen on.
  init(_ options: ScriptOptions) {
    var given = options.defaults
    for (key, value) in options.configuration where key == "listen" { try? given.set(key, to: value) }
    let own = given.listen.compactMap { address -> String? in
      guard case .unix(let path) = address else { return nil }
      return path
    }
    allowed = Set((options.unixSockets + own).compactMap(Self.plain))
  }

  /// Why the script may not dial or listen there; nil: it may.
  func problem(with address: PeerAddress) -> NodeError? {
    guard case .unix(let path) = address else { return nil }
    if let plain = Self.plain(path), let slash = plain.lastIndex(of: "/") {
      let folder = slash == plain.startIndex ? "/" : String(plain[..<slash])
      if allowed.contains(plain) || allowed.contains(folder) { return nil }
    }
    return NodeError(
      code: .notAllowed,
      message: "\(address): this script may not use that Unix socket; whoever runs the node allows it by its path, or its "
        + "folder's, with --unix-sockets PATH (in scenarios unix_sockets, in Swift ScriptOptions.unixSockets)")
  }

  /// From the root, each part once; nil for a path that climbs, since what it means depends on links.
  private static func plain(_ path: String) -> String? {
    var whole = path
    if !path.hasPrefix("/") {
      guard let current = getcwd(nil, 0) else { return nil }
      defer { free(current) }
      whole = String(cString: current) + "/" + path
    }
    let parts = whole.split(separator: "/").filter { $0 != "." }
    guard !parts.contains("..") else { return nil }
    return "/" + parts.joined(separator: "/")
  }
}
