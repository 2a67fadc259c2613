import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Answers to what does not go on by itself: every verb but `trace`.
struct ConsoleAnswers: Sendable {
  let host: ConsoleHost
  /// How long typed code may wait where the client does not say.
  static let budget = Duration.seconds(30)

  func answer(_ line: ConsoleLine, _ request: ConsoleRequest) async throws(ConsoleProblem) -> JSONValue {
    switch line {
    case .nothing: return ["kind": "nothing"]
    case .lua(let code): return try await values(of: code, request)
    case .verb(let verb, let words): return try await answer(verb, words, request)
    }
  }

  private func answer(_ verb: ConsoleVerb, _ words: [String], _ request: ConsoleRequest) async throws(ConsoleProblem) -> JSONValue
  {
    var target = ConsoleTarget(verb, words, host, request.node)
    switch verb {
    case .nodes:
      try target.end()
      return ["kind": "nodes", "nodes": .array(await each(host.nodes()) { .summary(of: await $0.details()) })]
    case .connections:
      let nodes = try target.nodes()
      try target.end()
      let lists = await each(nodes) { node in
        .array(await node.connectionDetails().map { .connection($0, of: node.name) })
      }
      return ["kind": "connections", "connections": .array(lists.flatMap(\.list))]
    case .stats:
      if let (node, connection) = try await target.connectionIfNamed() {
        return ["kind": "stats", "connections": [.connection(connection, of: node.name)]]
      }
      let nodes = try target.nodes()
      try target.end()
      return ["kind": "stats", "nodes": .array(await each(nodes) { .numbers(of: await $0.details()) })]
    case .tasks:
      let nodes = try target.nodes()
      try target.end()
      let lists = await each(nodes) { node in .array(await node.waitingTasks().map { .task($0, of: node.name) }) }
      return ["kind": "tasks", "tasks": .array(lists.flatMap(\.list))]
    case .disconnect:
      let (node, connection) = try await target.connection()
      guard await node.node.disconnect(connection.info.id) else { throw target.noConnection("\(connection.info.id)") }
      return ["kind": "done", "text": .string("disconnected \(connection.info.address)")]
    case .loglevel: return try logLevel(&target)
    case .reload: return try await reload(&target, request)
    case .probation: return try await probation(&target)
    case .use:
      let node = try target.node()
      try target.end()
      return ["kind": "use", "node": .string(node.name)]
    case .help:
      let verbs = ConsoleVerb.allCases.map { verb -> JSONValue in
        ["verb": .string(verb.rawValue), "usage": .string(verb.usage), "meaning": .string(verb.meaning)]
      }
      return ["kind": "help", "verbs": .array(verbs)]
    case .quit: return ["kind": "quit"]
    case .trace: throw ConsoleProblem("usage", "trace goes on by itself")
    }
  }

  private func values(of code: String, _ request: ConsoleRequest) async throws(ConsoleProblem) -> JSONValue {
    var target = ConsoleTarget(nil, [], host, request.node)
    let node = try target.node()
    let seconds = request.budget.map { min(max($0, 0), 1e6) }
    let budget: Duration? = seconds.map { $0 == 0 ? nil : .milliseconds(Int64($0 * 1000)) } ?? Self.budget
    do throws(ScriptError) {
      let values = try await node.evaluateTyped(code, form: request.isForProgram ? "data" : "text", budget: budget)
      return ["kind": "values", "node": .string(node.name), "values": .array(values.map { JSONValue($0) })]
    } catch {
      throw ConsoleProblem(error, kind: error.code == .load ? "syntax" : error.kind)
    }
  }

  private func logLevel(_ target: inout ConsoleTarget) throws(ConsoleProblem) -> JSONValue {
    let name = target.takeNodeName()
    guard let word = target.take(), let level = Logger.Level(rawValue: word) else {
      let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
      throw ConsoleProblem("usage", "loglevel: a level is expected: \(levels)")
    }
    try target.end()
    host.setLogLevel(name, level)
    return ["kind": "done", "text": .string("\(name ?? "all nodes") \(name == nil ? "log" : "logs") from \(level) on")]
  }

  private func each(_ nodes: [ScriptedNode], _ ask: (ScriptedNode) async -> JSONValue) async -> [JSONValue] {
    var answers: [JSONValue] = []
    for node in nodes { answers.append(await ask(node)) }
    return answers
  }
}

extension ConsoleProblem {
  init(_ error: ScriptError, kind: String? = nil) {
    self.init(kind ?? error.kind, (error.location.map { "\($0): " } ?? "") + error.message, traceback: error.traceback)
  }
}
