import Glibc

/// The scenario files that were meant: files as they are, folders with what is in them.
enum ScenarioFiles {
  /// - Throws: status `missingInput`: nothing there, or a folder without scenarios.
  static func find(_ paths: [String]) throws(CommandFailure) -> [String] {
    var found: [String] = []
    for path in paths {
      for file in try files(at: path) where !found.contains(file) { found.append(file) }
    }
    return found
  }

  /// In a folder a scenario file is one that says so: `scenario.lua`, `chat_scenario.lua`, and any in `scenarios/`.
  static func isScenario(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    guard let name = parts.last, name.hasSuffix(".lua"), !name.hasPrefix(".") else { return false }
    return name.dropLast(4).contains("scenario") || parts.dropLast().last == "scenarios"
  }

  private static func files(at path: String) throws(CommandFailure) -> [String] {
    guard let kind = kind(of: path) else {
      throw CommandFailure(.missingInput, "cannot read \"\(Printable.text(path))\": \(String(cString: strerror(errno)))")
    }
    guard kind == S_IFDIR else {
      guard kind == S_IFREG else {
        throw CommandFailure(.missingInput, "cannot read \"\(Printable.text(path))\": it is a pipe, a socket or a device")
      }
      return [path]
    }
    var found: [String] = []
    try collect(path, &found)
    guard !found.isEmpty else {
      throw CommandFailure(
        .missingInput,
        "there is no scenario file in \"\(Printable.text(path))\"; in a folder those are taken that have \"scenario\" in their name or lie in scenarios/"
      )
    }
    return found
  }

  private static func collect(_ folder: String, _ found: inout [String]) throws(CommandFailure) {
    guard let handle = opendir(folder) else {
      throw CommandFailure(.missingInput, "cannot read \"\(Printable.text(folder))\": \(String(cString: strerror(errno)))")
    }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    closedir(handle)
    let prefix = folder.hasSuffix("/") ? folder : folder + "/"
    for name in names.sorted() {
      let path = prefix + name
      if isFolder(path) {
        try collect(path, &found)
      } else if isScenario(path) {
        found.append(path)
      }
    }
  }

  private static func kind(of path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  // A link to a folder is not followed: it may lead back up.
  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
