import Foundation
import Synchronization

/// A folder of a test's own, removed at its end.
final class Folder: Sendable {
  let path: String
  private let count = Atomic(0)

  /// - Parameter files: names and contents of what is in it.
  init(_ files: [String: String] = [:]) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
    for (name, text) in files { try write(name, text) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  func read(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

  func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }

  /// A path in it that nothing else uses.
  func fresh(_ name: String) -> String { "\(path)/.\(name)-\(count.add(1, ordering: .relaxed).newValue)" }
}
