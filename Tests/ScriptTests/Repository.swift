import Foundation

/// Where this package lies, and what is in it.
enum Repository {
  static let root: URL = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func path(_ relative: String) -> String { root.appending(path: relative).path(percentEncoded: false) }

  /// The program as it was built beside these tests, wherever that is.
  static let binary = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appending(path: "moonpeer").path(percentEncoded: false)

  static func text(_ relative: String) throws -> String { try String(contentsOfFile: path(relative), encoding: .utf8) }

  static func exists(_ relative: String) -> Bool { FileManager.default.fileExists(atPath: path(relative)) }

  /// The names in a folder, sorted; none where there is no such folder.
  static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []).filter { !$0.hasPrefix(".") }.sorted()
  }

  static func luaFiles(in folder: String) -> [String] { names(in: folder).filter { $0.hasSuffix(".lua") } }

  /// The scripts that a node loads: `scripts/echo.lua` and so on.
  static let scripts = luaFiles(in: "scripts").map { "scripts/\($0)" }
  /// The folders of the examples.
  static let examples = names(in: "examples").filter { !$0.contains(".") }.map { "examples/\($0)" }
  /// Every scenario file there is.
  static let scenarioFiles =
    luaFiles(in: "scripts/scenarios").map { "scripts/scenarios/\($0)" } + examples.map { "\($0)/scenario.lua" }
}
