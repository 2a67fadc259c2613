import NodeCore
import NodeEngine
import NodeScripting

/// Which node and connection the words behind a verb mean.
struct ConsoleTarget {
  private let verb: String
  private var words: ArraySlice<String>
  private let host: ConsoleHost
  private let standing: String?

  /// - Parameter standing: the node that is meant where none is named.
  init(_ verb: ConsoleVerb?, _ words: [String], _ host: ConsoleHost, _ standing: String?) {
    self.verb = verb?.rawValue ?? "Lua"
    self.words = words[...]
    self.host = host
    self.standing = standing
  }

  mutating func take() -> String? { words.popFirst() }

  /// - Throws: where words are left over.
  func end() throws(ConsoleProblem) {
    guard let word = words.first else { return }
    // Perhaps a node that is misspelt.
    let names = host.nodes().map(\.name).filter { $0 != word }
    throw ConsoleProblem(
      "usage", "\(verb): \"\(word)\" is too much here\(NearestName.hint(for: word, among: names))")
  }

  /// The node's name, if the next word is one.
  mutating func takeNodeName() -> String? {
    guard let word = words.first, host.node(named: word) != nil else { return nil }
    return words.popFirst()
  }

  /// The one that is named, else the one that stands, else all there are.
  mutating func nodes() throws(ConsoleProblem) -> [ScriptedNode] {
    if words.isEmpty, standing == nil { return host.nodes() }
    return [try node()]
  }

  /// The one that is named, else the one that stands, else the only one.
  mutating func node() throws(ConsoleProblem) -> ScriptedNode {
    if let name = takeNodeName(), let node = host.node(named: name) { return node }
    // A word that is no node's name is one of a path or a number, which the verb takes by itself; here it is a mistake.
    if let word = words.first, verb != "reload", UInt64(word) == nil { throw unknown(word) }
    if let standing {
      guard let node = host.node(named: standing) else { throw unknown(standing) }
      return node
    }
    let all = host.nodes()
    guard all.count == 1, let only = all.first else {
      if all.isEmpty { throw ConsoleProblem("unknown_node", "there are no nodes here") }
      let names = all.prefix(20).map(\.name).joined(separator: ", ")
      throw ConsoleProblem("unknown_node", "\(verb): which node? Name it, or say use NODE first; there is \(names)")
    }
    return only
  }

  private func unknown(_ name: String) -> ConsoleProblem {
    let names = host.nodes().map(\.name)
    let hint = NearestName.hint(for: name, among: names)
    let known = hint.isEmpty ? "; there is " + names.prefix(20).joined(separator: ", ") : hint
    return ConsoleProblem("unknown_node", "there is no node \"\(name)\"\(known)")
  }

  mutating func connection() async throws(ConsoleProblem) -> (ScriptedNode, ConnectionDetails) {
    let node = try node()
    guard let word = take() else {
      throw ConsoleProblem("usage", "\(verb): a connection's number is expected; connections lists them")
    }
    try end()
    guard let found = await node.connectionDetails().first(where: { "\($0.info.id.rawValue)" == word }) else {
      throw noConnection(word, of: node.name)
    }
    return (node, found)
  }

  /// nil: no word is a number.
  mutating func connectionIfNamed() async throws(ConsoleProblem) -> (ScriptedNode, ConnectionDetails)? {
    guard let last = words.last, UInt64(last) != nil, host.node(named: last) == nil else { return nil }
    return try await connection()
  }

  func noConnection(_ word: String, of node: String? = nil) -> ConsoleProblem {
    ConsoleProblem("unknown_connection", "\(node.map { "\($0) has" } ?? "there is") no live connection \(word)")
  }
}
