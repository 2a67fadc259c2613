/// The names of the nodes of one process: unique, because scripts call each other by them.
struct NodeNames {
  /// The longest name a node can have, in bytes.
  static let longest = 64

  private let totals: [String: Int]
  private var used: [String: Int] = [:]

  /// - Parameter wishes: one per node, in order.
  init(_ wishes: [String]) {
    totals = wishes.map(Self.clean).reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  /// The name for the next node with that wish: the wish itself where only one has it, else `wish-1`, `wish-2`, ….
  mutating func next(_ wish: String) -> String {
    let base = Self.clean(wish)
    guard totals[base, default: 1] > 1 else { return base }
    used[base, default: 0] += 1
    let suffix = "-\(used[base]!)"
    return Self.cut(base, to: Self.longest - suffix.utf8.count) + suffix
  }

  /// `dir/echo.lua` → `echo`
  static func base(ofPath path: String) -> String {
    let file = path.split(separator: "/").last.map(String.init) ?? path
    return file.hasSuffix(".lua") && file.count > 4 ? String(file.dropLast(4)) : file
  }

  // A node's name has no spaces or control characters, so that log lines stay readable.
  private static func clean(_ wish: String) -> String {
    var result = ""
    for scalar in wish.unicodeScalars { result.unicodeScalars.append(scalar.value > 32 && scalar.value != 127 ? scalar : "-") }
    return cut(result.isEmpty ? "node" : result, to: longest)
  }

  private static func cut(_ text: String, to bytes: Int) -> String {
    var text = text
    while text.utf8.count > bytes { text.removeLast() }
    return text
  }
}
