import Foundation
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import NodeSupport

/// The repository's root.
let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// The files below a folder of the repository whose names end like this, in order; none without the folder.
func files(in folder: String, ending: String) -> [URL] {
  let found = FileManager.default.enumerator(
    at: repository.appendingPathComponent(folder), includingPropertiesForKeys: nil)
  let urls = (found?.allObjects ?? []).compactMap { $0 as? URL }
  return urls.filter { $0.path.hasSuffix(ending) }.sorted { $0.path < $1.path }
}

/// Runs the body in a folder of its own, which is gone afterwards.
func withFolder<T>(_ body: (URL) async throws -> T) async throws -> T {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-api-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}

/// Runs the body with a started node and shuts it down afterwards, whatever happens.
func withNode<T>(
  _ text: String, trusted: Bool = false, listen: String? = nil, _ body: (ScriptedNode) async throws -> T
) async throws -> T {
  var options = ScriptOptions()
  options.isTrusted = trusted
  if let listen { options.configuration = [("listen", .string(listen))] }
  let node = try await ScriptedNode.load(
    ScriptSource(name: "test.lua", text: text), options: options, environment: .sockets())
  return try await withStarted(node, body)
}

extension LuaValue {
  /// The texts of a list.
  var texts: [String] { table?.array.compactMap(\.text) ?? [] }
}

extension String {
  /// What stands after the marker, split at commas: the names that an error's hint lists.
  func list(after marker: String) -> [String] {
    guard let range = firstRange(of: marker) else { return [] }
    return self[range.upperBound...].prefix { $0 != "\n" && $0 != ")" }.split(separator: ",").map {
      String($0.trimmingPrefix(" "))
    }
  }
}
