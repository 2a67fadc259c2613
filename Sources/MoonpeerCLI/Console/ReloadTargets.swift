import Glibc
import NodeAdmin

/// What the words of `moonpeer reload` mean: nodes of running processes, and perhaps a script.
struct ReloadTargets {
  /// In the order they were named, or all there are.
  private(set) var nodes: [(link: ConsoleLink, name: String)] = []
  /// nil: each node's own file.
  private(set) var script: String?

  /// - Throws: status `usage` where a word is no node, or a node of several processes.
  init(_ words: [String], all: Bool, host: String?) throws(CommandFailure) {
    guard all || !words.isEmpty else { throw CommandFailure(.usage, "which node? Name it, or say --all") }
    let links = try HostChoice(wish: host, isInteractive: false).all()
    let known = links.flatMap(\.nodes)
    var names = words
    // A node's name wins: whoever means a file of that name can say ./NAME.
    if let last = words.last, all || words.count > 1, !known.contains(last), all || Self.isFile(last) {
      names.removeLast()
      script = last
    }
    if all {
      guard names.isEmpty else {
        throw CommandFailure(.usage, "--all is all nodes: \"\(Printable.text(names[0]))\" is too much beside it")
      }
      for link in links { nodes += link.nodes.map { (link, $0) } }
      guard !nodes.isEmpty else { throw CommandFailure(.network, "no nodes run there") }
      return
    }
    for (index, name) in names.enumerated() where !names[..<index].contains(name) {
      nodes.append((try Self.link(of: name, among: links), name))
    }
  }

  private static func link(of name: String, among links: [ConsoleLink]) throws(CommandFailure) -> ConsoleLink {
    let its = links.filter { $0.nodes.contains(name) }
    guard let link = its.first else { throw HostChoice.noNode(name, among: links.flatMap(\.nodes)) }
    guard its.count == 1 else {
      let processes = its.map { "\($0.process)" }.joined(separator: " and ")
      throw CommandFailure(.usage, "processes \(processes) have a node \"\(name)\"; choose one with --host PID, or say --all")
    }
    return link
  }

  private static func isFile(_ word: String) -> Bool {
    word.contains("/") || word.hasSuffix(".lua") || access(word, F_OK) == 0
  }
}
