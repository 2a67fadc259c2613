import Foundation

// Writes what is generated from the declaration of the Lua API into the repository: `swift run APIReference [ROOT]`.
let root = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : "."
for document in Document.all {
  let url = URL(fileURLWithPath: root).appendingPathComponent(document.path)
  try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
  try Data(document.text.utf8).write(to: url)
  print("wrote \(document.path)")
}
