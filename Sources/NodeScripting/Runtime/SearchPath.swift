import Glibc

/// Where `require` looks for Lua files, in this order. Nothing outside these folders is ever opened.
package struct SearchPath: Sendable {
  package var directories: [String]

  package init(_ directories: [String]) {
    self.directories = directories
  }

  /// Why a module name is refused, or nil. Names are `a`, `a.b` or `a/b`; no dots that climb, nothing absolute.
  static func problem(with name: String) -> String? {
    if name.isEmpty { return "a module's name cannot be empty" }
    for byte in name.utf8 {
      let isAllowed =
        (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122)
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: "/")
      guard isAllowed else { return "a module's name is letters, digits, _, - and dots, such as \"lib.frames\"" }
    }
    let parts = name.split(whereSeparator: { $0 == "." || $0 == "/" })
    let separators = name.utf8.count(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") })
    guard parts.count == separators + 1 else {
      return "name the module without its path and ending: \"lib.frames\" is lib/frames.lua beside the script"
    }
    return nil
  }

  /// Where a link leads that leaves these folders; nil: the file is in one of them, or is none.
  func strays(_ path: String) -> String? {
    guard let place = Self.resolved(path) else { return nil }
    let isInside = directories.contains { directory in
      guard let root = Self.resolved(directory) else { return false }
      return place.hasPrefix(root.hasSuffix("/") ? root : root + "/")
    }
    return isInside ? nil : place
  }

  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The files a module may be in, in the order they are tried.
  func candidates(for name: String) -> [String] {
    let relative = String(name.map { $0 == "." ? "/" : $0 }) + ".lua"
    return directories.map { $0 == "." ? relative : $0 + "/" + relative }
  }
}
