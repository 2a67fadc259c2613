import Glibc
import NodeAdmin

/// Finds the process that is meant.
struct HostChoice {
  /// A socket's path, or a process's number; nil: whichever there is.
  var wish: String?
  /// A node that it must have; nil: any.
  var node: String?
  /// Whether somebody is there to be asked.
  var isInteractive: Bool

  /// - Throws: status `network` where there is no host, `usage` where there are several and nobody to ask.
  func connect() throws(CommandFailure) -> ConsoleLink {
    let folder = ConsoleFolder.standard
    if let wish {
      let link = try ConsoleLink(Int32(wish).map(folder.socket(of:)) ?? wish)
      if let node, !link.nodes.contains(node) { throw noNode(node, among: link.nodes) }
      return link
    }
    let hosts = folder.hosts()
    var links: [ConsoleLink] = []
    for host in hosts {
      // One may end while it is asked.
      if let link = try? ConsoleLink(host.path) { links.append(link) }
    }
    guard !links.isEmpty else {
      throw CommandFailure(.network, "no nodes of yours run on this machine (looked in \(folder.path)); --host says where else")
    }
    if let node {
      let all = links.flatMap(\.nodes)
      links = links.filter { $0.nodes.contains(node) }
      if links.isEmpty { throw noNode(node, among: all) }
    }
    return links.count == 1 ? links[0] : try ask(links)
  }

  private func noNode(_ name: String, among names: [String]) -> CommandFailure {
    let known = names.isEmpty ? "" : "; there is " + names.prefix(20).joined(separator: ", ")
    return CommandFailure(.usage, "there is no node \"\(Printable.text(name))\"\(known)")
  }

  private func ask(_ links: [ConsoleLink]) throws(CommandFailure) -> ConsoleLink {
    let list = links.enumerated().map { index, link in
      let nodes = link.nodes.prefix(8).joined(separator: ", ") + (link.nodes.count > 8 ? ", …" : "")
      return "  \(index + 1)  process \(link.greeting["process"]?.int ?? 0): \(Printable.text(nodes))\n"
    }.joined()
    guard isInteractive else {
      throw CommandFailure(.usage, "several processes have nodes; choose one with --host PID:\n" + list.dropLast())
    }
    Output.error.tell("Several processes have nodes:\n" + list)
    while true {
      Output.error.tell("Which one? ")
      guard let answer = readLine() else { throw CommandFailure(.usage, "none was chosen") }
      let word = answer.filter { !$0.isWhitespace }
      if let number = Int(word) {
        if links.indices.contains(number - 1) { return links[number - 1] }
        if let link = links.first(where: { $0.greeting["process"]?.int == Int64(number) }) { return link }
      }
    }
  }
}
