import NodeScripting

/// What the last word of a line could go on as; nothing of a script is run to find out.
struct ConsoleCompletion: Sendable {
  let host: ConsoleHost
  private static let most = 200
  private static let node = names(of: "node")
  private static let conn = names(of: "conn")

  /// Whole words in the place of the line's last one, sorted.
  func candidates(_ line: String, node standing: String?) async -> [String] {
    let start = line.lastIndex { !Self.isPartOfWord($0) }.map { line.index(after: $0) } ?? line.startIndex
    let word = line[start...]
    let before = line[..<start]
    var found: [String] = []
    let first = before.split(whereSeparator: \.isWhitespace).first.map(String.init)
    if before.allSatisfy(\.isWhitespace) {
      found += ConsoleVerb.allCases.map(\.rawValue)
    } else if let verb = first.flatMap(ConsoleVerb.init(rawValue:)) {
      found += host.nodes().map(\.name)
      if verb == .loglevel { found += ["trace", "debug", "info", "notice", "warning", "error", "critical"] }
      return Self.matching(found, word)
    }
    if let separator = word.lastIndex(where: { $0 == "." || $0 == ":" }) {
      let path = String(word[..<separator])
      let members = await self.members(of: path, isMethod: word[separator] == ":", standing)
      found += members.map { word[...separator] + $0 }
    } else {
      found += ["node"] + (await names(in: "", standing).names)
    }
    return Self.matching(found, word)
  }

  private static func matching(_ names: [String], _ word: Substring) -> [String] {
    Array(Set(names.filter { $0.hasPrefix(word) }).sorted().prefix(most))
  }

  private static func isPartOfWord(_ letter: Character) -> Bool {
    letter.isLetter || letter.isNumber || letter == "_" || letter == "." || letter == ":" || letter == "-"
  }

  private func members(of path: String, isMethod: Bool, _ standing: String?) async -> [String] {
    let (names, kind) = await names(in: path.replacing(":", with: "."), standing)
    switch kind {
    case "node": return isMethod ? Self.node.methods : Self.node.fields
    case "conn": return isMethod ? Self.conn.methods : Self.conn.fields
    case "table": return names
    // A local of the line itself, by the name everybody gives it.
    default: return ["conn", "c"].contains(path) ? (isMethod ? Self.conn.methods : Self.conn.fields) : []
    }
  }

  private func names(in path: String, _ standing: String?) async -> (names: [String], kind: String?) {
    var target = ConsoleTarget(nil, [], host, standing)
    guard let node = try? target.node() else { return ([], path == "node" ? "node" : nil) }
    return await node.fields(of: path)
  }

  private static func names(of handle: String) -> (fields: [String], methods: [String]) {
    let declared = LuaAPI.sections.flatMap(\.classes).first { $0.name == handle }
    return (declared?.fields.map(\.name) ?? [], declared?.methods.map(\.name) ?? [])
  }
}
