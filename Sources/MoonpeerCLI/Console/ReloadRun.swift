import NodeAdmin
import NodeScripting

/// One `moonpeer reload`, from the first node to the report.
struct ReloadRun {
  private let nodes: [RemoteNode]
  private let canaries: Int
  private let rolling: RollingReload
  private let conversation: ReloadConversation
  private let isForProgram: Bool

  init(_ targets: ReloadTargets, _ rolling: RollingReload, isForProgram: Bool, wake: Int32) {
    self.rolling = rolling
    self.isForProgram = isForProgram
    let conversation = ReloadConversation(isForProgram: isForProgram)
    self.conversation = conversation
    var sessions: [ObjectIdentifier: ConsoleSession] = [:]
    let nodes = targets.nodes.map { link, name in
      let session =
        sessions[ObjectIdentifier(link)]
        ?? ConsoleSession(link, node: nil, isForProgram: false, budget: nil, wake: wake)
      sessions[ObjectIdentifier(link)] = session
      return RemoteNode(name, session, script: targets.script, conversation)
    }
    // Of each script the first ones; a new script is one for all.
    var groups: [(script: String, nodes: [RemoteNode])] = []
    for node in nodes {
      let script = targets.script ?? node.summary()?["script"]?.text ?? ""
      if let index = groups.firstIndex(where: { $0.script == script }) {
        groups[index].nodes.append(node)
      } else {
        groups.append((script, [node]))
      }
    }
    let first = groups.flatMap { $0.nodes.prefix(rolling.canaries(of: $0.nodes.count)) }
    canaries = first.count
    self.nodes = first + groups.flatMap { $0.nodes.dropFirst(rolling.canaries(of: $0.nodes.count)) }
  }

  func finish() async throws(CommandFailure) -> ExitStatus {
    var problem = await rolling.run(nodes, first: canaries).problem
    // One that nobody waited for.
    for node in nodes where node.state == .reloaded {
      _ = await node.rollbacks()
      if node.state == .rolledBack, problem == nil { problem = "\(node.name) was rolled back: it failed soon after" }
    }
    problem = problem ?? conversation.failure?.message
    if isForProgram {
      try Output.standard.write(document(problem).line + "\n")
    } else {
      if nodes.count > 1 { try Output.standard.write(ConsoleRenderer().render(["kind": "reloads", "nodes": entries])) }
      if let problem { Output.error.tell("moonpeer: " + Printable.lines(problem).joined(separator: "\n") + "\n") }
    }
    if problem == nil { return .success }
    return conversation.failure?.status ?? (nodes.contains(where: \.lacksFile) ? .missingInput : .failed)
  }

  private func document(_ problem: String?) -> JSONValue {
    let result: JSONValue = ["kind": "reloads", "canaries": .integer(Int64(canaries)), "nodes": entries]
    guard let problem else { return ["ok": true, "result": result] }
    return ["ok": false, "result": result, "error": ["kind": "reload", "message": .string(problem)]]
  }

  private var entries: JSONValue {
    .array(
      nodes.map { node in
        let summary = node.summary()
        var entry: [String: JSONValue] = [
          "node": .string(node.name), "process": .integer(node.session.link.process), "outcome": .string(node.state.rawValue),
        ]
        for name in ["generation", "version", "script"] { entry[name] = summary?[name] }
        for name in ["pause", "moved", "left", "warnings"] { entry[name] = node.report?[name] }
        return .object(entry)
      })
  }
}
