import Glibc
import NodeAdmin
import NodeCore

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
    var links = try all()
    if let node {
      let known = links.flatMap(\.nodes)
      links = links.filter { $0.nodes.contains(node) }
      if links.isEmpty { throw Self.noNode(node, among: known) }
    }
    return links.count == 1 ? links[0] : try ask(links)
  }

  /// Every process that may be meant: the one that was asked for, else all of the user's.
  ///
  /// - Throws: status `network` where there is none.
  func all() throws(CommandFailure) -> [ConsoleLink] {
    let folder = ConsoleFolder.standard
    if wish == "" { throw CommandFailure(.usage, "--host: a process's number or a socket's path is expected") }
    if let wish { return [try ConsoleLink(Int32(wish).map(folder.socket(of:)) ?? wish)] }
    var links: [ConsoleLink] = []
    var failure: CommandFailure?
    for host in folder.hosts() {
      // One may end while it is asked, or have clients enough.
      do throws(CommandFailure) { links.append(try ConsoleLink(host.path)) } catch { failure = error }
    }
    guard !links.isEmpty else {
      if let failure { throw failure }
      throw CommandFailure(.network, "no nodes of yours run on this machine (looked in \(folder.path)); --host says where else")
    }
    return links
  }

  static func noNode(_ name: String, among names: [String]) -> CommandFailure {
    let hint = NearestName.hint(for: name, among: names)
    let known = hint.isEmpty && !names.isEmpty ? "; there is " + names.prefix(20).joined(separator: ", ") : hint
    return CommandFailure(.usage, "there is no node \"\(Printable.text(name))\"\(Printable.text(known))")
  }

  private func ask(_ links: [ConsoleLink]) throws(CommandFailure) -> ConsoleLink {
    let list = links.enumerated().map { index, link in
      let nodes = link.nodes.prefix(8).joined(separator: ", ") + (link.nodes.count > 8 ? ", …" : "")
      return "  \(index + 1)  process \(link.process): \(Printable.text(nodes))\n"
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
        if let link = links.first(where: { $0.process == Int64(number) }) { return link }
      }
    }
  }
}
